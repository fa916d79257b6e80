//! Both sides of an acknowledgement: answering an event, and reading the answer to one.

use std::{
    fmt,
    sync::{
        Arc,
        atomic::{AtomicBool, Ordering},
    },
};

use serde::{Serialize, de::DeserializeOwned};
use sockeye_protocol::socket::Payload;

use crate::{
    Args, ArgumentError, EncodeError, EncodedArgs, FromArg, Raw, Rest, args::decode_all,
    encode::is_tuple,
};

/// What an [`Ack`] answers through: a socket, as a rule.
pub trait SendAck: Send + Sync {
    /// Sends `args` as the answer to the event that came with `id`. It is called once per event at
    /// most. If the peer is gone, nothing happens.
    fn send_ack(&self, id: u64, args: EncodedArgs);

    /// An answer given with [`Ack::send`] does not serialise, so that none was sent yet.
    fn encode_failed(&self, id: u64, error: EncodeError);
}

/// The acknowledgement of an event, `31["seen"]`, to be sent when the handler likes.
///
/// A handler has one whether or not the peer asked; answering what was not asked does nothing. The
/// first answer wins, whichever clone it came from: those after it do nothing, and neither does what
/// the handler returns.
///
/// As in [`encode_args`](crate::encode_args), a tuple is several arguments, and `()` is none: the
/// peer gets `[]`.
#[derive(Clone)]
pub struct Ack {
    request: Option<Arc<Request>>,
}

struct Request {
    sender: Arc<dyn SendAck>,
    id: u64,
    answered: AtomicBool,
}

impl Ack {
    /// For an event whose sender asked for no acknowledgement.
    pub fn none() -> Self {
        Self { request: None }
    }

    /// For an event whose sender asked for an acknowledgement under `id`.
    pub fn new(sender: Arc<dyn SendAck>, id: u64) -> Self {
        Self { request: Some(Arc::new(Request { sender, id, answered: AtomicBool::new(false) })) }
    }

    /// Whether the peer asked for an acknowledgement. It stays true when it has been sent.
    pub fn is_requested(&self) -> bool {
        self.request.is_some()
    }

    /// Answers. A value that does not serialise is logged, and leaves room for another answer.
    pub fn send<T: Serialize>(&self, args: T) {
        if let Err(error) = self.answer(&args) {
            if let Some(request) = &self.request {
                request.sender.encode_failed(request.id, error);
            }
        }
    }

    /// Answers, and returns the error that [`send`](Self::send) would log. That there was nothing
    /// to answer is no error.
    ///
    /// # Errors
    /// The value does not serialise, and another answer can still be given.
    pub fn try_send<T: Serialize>(&self, args: T) -> Result<(), EncodeError> {
        self.answer(&args)
    }

    pub(crate) fn answer<T: Serialize + ?Sized>(&self, args: &T) -> Result<(), EncodeError> {
        let Some(request) = &self.request else {
            return Ok(());
        };
        if request.answered.load(Ordering::Relaxed) {
            return Ok(());
        }
        let encoded = EncodedArgs::new(args)?;
        // Only the flag itself is shared, so there is nothing to order against it.
        if !request.answered.swap(true, Ordering::Relaxed) {
            request.sender.send_ack(request.id, encoded);
        }
        Ok(())
    }
}

impl fmt::Debug for Ack {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let mut ack = f.debug_struct("Ack");
        if let Some(request) = &self.request {
            ack.field("id", &request.id).field("answered", &request.answered);
        }
        ack.finish_non_exhaustive()
    }
}

/// What the answer to an event can be read as, see [`decode_reply`].
#[diagnostic::on_unimplemented(
    message = "an acknowledgement cannot be read as `{Self}`",
    note = "it can be read as any type that implements `serde::Deserialize` and borrows nothing, as a tuple of such types, as `Raw`, or as `Rest<T>`"
)]
pub trait FromReply: Sized {
    /// Reads the answer.
    ///
    /// # Errors
    /// It does not fit.
    fn from_reply(payload: &Payload) -> Result<Self, ArgumentError>;
}

impl<T: DeserializeOwned> FromReply for T {
    fn from_reply(payload: &Payload) -> Result<Self, ArgumentError> {
        if is_tuple::<T>() { decode_all(payload) } else { Args::new(payload, 0).next() }
    }
}

impl FromReply for Raw {
    fn from_reply(payload: &Payload) -> Result<Self, ArgumentError> {
        Args::new(payload, 0).next()
    }
}

impl<T: FromArg> FromReply for Rest<T> {
    fn from_reply(payload: &Payload) -> Result<Self, ArgumentError> {
        Rest::from_args(&mut Args::new(payload, 0))
    }
}

/// Reads the answer to an event: a tuple from as many arguments, where those missing read as `null`;
/// `()` from any; [`Rest`] from all; anything else from the first.
///
/// # Examples
/// ```
/// # use sockeye_event::decode_reply;
/// # use sockeye_protocol::socket::Payload;
/// let payload = Payload::new(r#"["seen",3]"#, vec![]);
/// assert_eq!(decode_reply::<String>(&payload)?, "seen");
/// assert_eq!(decode_reply::<(String, u8)>(&payload)?, ("seen".to_owned(), 3));
/// # Ok::<(), sockeye_event::ArgumentError>(())
/// ```
///
/// # Errors
/// An argument does not fit.
pub fn decode_reply<T: FromReply>(payload: &Payload) -> Result<T, ArgumentError> {
    T::from_reply(payload)
}
