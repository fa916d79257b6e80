//! Handlers, typed arguments and acknowledgements of Socket.IO events: what the server and the
//! client share above the protocol.
//!
//! An event on the wire is a JSON array, `2["chat","hi",{"x":1}]`. Here its tail becomes the typed
//! arguments of a function, and what that function returns becomes the acknowledgement,
//! `3["seen"]`. Both ends bring a context type `C`, from which their own parameters (a socket, say)
//! are made by [`FromEvent`].
//!
//! - [`encode_args`]: values to JSON text and attachments. A tuple is several arguments.
//! - [`Args`], [`Raw`], [`Rest`]: JSON text and attachments to values, each only when asked for.
//! - [`Ack`], [`decode_reply`]: the two sides of an acknowledgement.
//! - [`Handler`], [`FromEvent`], [`IntoReply`]: which functions can handle an event.
//!
//! Nothing here does I/O, and nothing that a peer sends makes it panic.

mod ack;
mod args;
mod decode;
mod encode;
mod error;
mod from_event;
mod handler;
mod raw;
mod reply;
mod top_level;

pub use ack::{Ack, FromReply, SendAck, decode_reply};
pub use args::{Arg, Args, FromArg, Rest};
pub use encode::{EncodedArgs, encode_args};
pub use error::{ArgumentError, EncodeError, HandlerError};
pub use from_event::{Event, EventName, FromEvent};
pub use handler::{BoxedHandler, Call, ErasedHandler, Handler, HandlerFuture, erase};
pub use raw::Raw;
pub use reply::IntoReply;

/// The types by which the compiler tells the implementations of [`Handler`] and [`IntoReply`]
/// apart. They are always inferred.
pub mod marker {
    #[cfg(feature = "anyhow")]
    pub use crate::reply::Anyhow;
    pub use crate::{
        handler::{Awaited, Returned},
        reply::{Boxed, Diverging, Fallible, Plain},
    };
}
