//! What the edge calls: each request goes to the engine, at once where nothing is waited for.

use http::{Request, Response};

use crate::edge::{AtOnce, Incoming, Offer, Outgoing, Peer, Serve};
use crate::engine::{self, Begun, Caller, Sent, Worker};

/// A worker as the edge calls it.
#[derive(Debug)]
pub struct Front {
    /// The worker.
    pub worker: Worker,
}

impl Serve for Front {
    type Body = Sent;
    type Begun = Box<Begun>;

    fn serve(
        &self,
        request: Request<Incoming>,
        begun: Option<Box<Begun>>,
        peer: Peer,
    ) -> impl Future<Output = Response<Sent>> + Send {
        let worker = &self.worker;
        async move {
            match begun {
                Some(begun) => engine::go_on(worker, *begun).await,
                None => engine::serve(worker, request, caller(&peer)).await,
            }
        }
    }

    fn at_once(&self, offer: Offer, out: &mut Outgoing) -> AtOnce<Box<Begun>> {
        let asked = engine::Asking {
            request: offer.request,
            caller: caller(&offer.peer),
            arrived: offer.arrived,
            closes: offer.closes,
        };
        match engine::at_once(&self.worker.engine, asked, out.head()) {
            Ok(body) => {
                out.body(body);
                AtOnce::Answered
            }
            Err(begun) => AtOnce::Begun(begun),
        }
    }
}

fn caller(peer: &Peer) -> Caller {
    Caller { peer: peer.address, local: peer.local }
}
