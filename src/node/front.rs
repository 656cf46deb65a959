//! What the edge calls: each request goes to the engine, at once where nothing is waited for.

use http::{Request, Response};
use http_body_util::Either;

use crate::admin::{Answered, OnProxy};
use crate::edge::{AtOnce, Incoming, Offer, Outgoing, Peer, Serve};
use crate::engine::{self, Begun, Caller, Sent, Worker};

/// A worker as the edge calls it.
#[derive(Debug)]
pub struct Front {
    /// The worker.
    pub worker: Worker,
    /// Calls of replaced systems that are answered here, whatever the rules say of their paths.
    pub calls: Option<OnProxy>,
}

impl Front {
    fn call<B>(&self, request: &Request<B>) -> Option<&OnProxy> {
        self.calls.as_ref().filter(|calls| calls.takes(request))
    }
}

impl Serve for Front {
    type Body = Either<Sent, Answered>;
    type Begun = Box<Begun>;

    fn serve(
        &self,
        request: Request<Incoming>,
        begun: Option<Box<Begun>>,
        peer: Peer,
    ) -> impl Future<Output = Response<Self::Body>> + Send {
        let worker = &self.worker;
        async move {
            if let Some(begun) = begun {
                return engine::go_on(worker, *begun).await.map(Either::Left);
            }
            match self.call(&request) {
                Some(calls) => calls.answer(request).await.map(Either::Right),
                None => engine::serve(worker, request, caller(&peer)).await.map(Either::Left),
            }
        }
    }

    fn at_once(&self, offer: Offer, out: &mut Outgoing) -> AtOnce<Box<Begun>> {
        if self.call(&offer.request).is_some() {
            return AtOnce::Declined;
        }
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
    Caller { peer: peer.address, local: peer.local, secure: peer.secure }
}
