//! How a connection ends on our side: the refusal that is still owed, the end of our bytes, and
//! reading away what the client still sends, for a while, because a socket closed with unread bytes
//! is reset and takes the last answer with it (RFC 9112, 9.6). Everything here is bounded in time
//! and bytes.

use std::io;
use std::pin::Pin;
use std::task::{Context, Poll};

use tokio::io::{AsyncRead, AsyncWrite, ReadBuf};

use super::deadline::Deadline;
use super::refusal::Refusal;
use crate::base::limits;

/// What is known about the connection when it ends.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Rest {
    /// The client has ended its side: nothing can come.
    Ended,
    /// The client may be waiting; something more is read only if it is there already.
    Quiet,
    /// The client is in the middle of sending.
    Sending,
}

#[derive(Debug, Default)]
enum Step {
    #[default]
    Begin,
    Answer {
        bytes: Vec<u8>,
        sent: usize,
    },
    End,
    Linger {
        bytes_left: usize,
        patient: bool,
    },
    Done,
}

/// The way through these steps.
#[derive(Debug)]
pub(super) struct Closing {
    step: Step,
    deadline: Deadline,
}

impl Default for Closing {
    fn default() -> Self {
        Self {
            step: Step::default(),
            deadline: Deadline::new(limits::LINGER_TIMEOUT.to_duration()),
        }
    }
}

impl Closing {
    /// Goes on closing. It never fails: there is nobody left to tell.
    pub(super) fn poll<T>(
        &mut self,
        io: &mut T,
        refusal: Option<Refusal>,
        rest: Rest,
        cx: &mut Context<'_>,
    ) -> Poll<()>
    where
        T: AsyncRead + AsyncWrite + Unpin,
    {
        loop {
            self.step = match &mut self.step {
                Step::Begin => match refusal {
                    Some(refusal) => Step::Answer { bytes: refusal.answer(), sent: 0 },
                    None => Step::End,
                },
                Step::Answer { bytes, sent } => {
                    let unsent = bytes.get(*sent..).unwrap_or_default();
                    match Pin::new(&mut *io).poll_write(cx, unsent) {
                        _ if unsent.is_empty() => Step::End,
                        Poll::Pending if self.deadline.is_over(cx) => Step::Done,
                        Poll::Pending => return Poll::Pending,
                        Poll::Ready(Ok(0) | Err(_)) => Step::Done,
                        Poll::Ready(Ok(more)) => {
                            *sent += more;
                            continue;
                        }
                    }
                }
                Step::End => match Pin::new(&mut *io).poll_shutdown(cx) {
                    Poll::Pending if self.deadline.is_over(cx) => Step::Done,
                    Poll::Pending => return Poll::Pending,
                    Poll::Ready(Err(_)) => Step::Done,
                    Poll::Ready(Ok(())) if rest == Rest::Ended => Step::Done,
                    Poll::Ready(Ok(())) => Step::Linger {
                        bytes_left: limits::LINGER_BYTES_MAX,
                        patient: rest == Rest::Sending || refusal.is_some(),
                    },
                },
                Step::Linger { bytes_left, patient } => match read_away(io, cx) {
                    Poll::Pending if !*patient || self.deadline.is_over(cx) => Step::Done,
                    Poll::Pending => return Poll::Pending,
                    Poll::Ready(Ok(0) | Err(_)) => Step::Done,
                    Poll::Ready(Ok(read)) => match bytes_left.checked_sub(read) {
                        Some(bytes_left) => Step::Linger { bytes_left, patient: true },
                        None => Step::Done,
                    },
                },
                Step::Done => return Poll::Ready(()),
            };
        }
    }
}

fn read_away<T: AsyncRead + Unpin>(io: &mut T, cx: &mut Context<'_>) -> Poll<io::Result<usize>> {
    let mut scratch = [0; 4_096];
    let mut read = ReadBuf::new(&mut scratch);
    Pin::new(io).poll_read(cx, &mut read).map_ok(|()| read.filled().len())
}
