vcl 4.1;

# The built-in rules, which follow the origin's Cache-Control; only the mark of a hit is added.
backend default {
    .host = "127.0.0.1";
    .port = "9400";
}

sub vcl_deliver {
    if (obj.hits > 0) {
        set resp.http.X-Cache = "HIT";
    } else {
        set resp.http.X-Cache = "MISS";
    }
}
