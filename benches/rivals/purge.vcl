vcl 4.1;

import xkey;

backend origin {
    .host = "127.0.0.1";
    .port = "@ORIGIN@";
}

# A tag goes through the index of xkey, or as a ban that the lurker can work off; a pattern only as a
# ban. Each is answered when Varnish has done what it does at the call.
sub vcl_recv {
    if (req.method == "PURGE") {
        if (req.http.X-Way == "xkey") {
            set req.http.N = xkey.purge(req.http.X-Tag);
        } elsif (req.http.X-Way == "tag") {
            ban("obj.http.xkey == " + req.http.X-Tag);
        } else {
            ban("obj.http.x-url ~ " + req.http.X-Pattern);
        }
        return (synth(200, "purged"));
    }
}

sub vcl_backend_response {
    set beresp.http.x-url = bereq.url;
}
