//! The client for programs that know nothing of tokio.
//!
//! It runs in threads of its own. What only registers or emits is the same as in the async API, to
//! which everything here derefs; what waits, blocks the thread that calls it.
//!
//! ```no_run
//! use sockeye_client::{Client, blocking};
//!
//! # fn run() -> Result<(), Box<dyn std::error::Error>> {
//! let client = Client::builder("http://localhost:3000").build_blocking()?;
//! client.on("message", |from: String, text: String| println!("{from}: {text}"));
//! client.on("ask", |socket: blocking::Socket, question: String| {
//!     // A handler may block here, other than in the async API.
//!     socket.emit_with_ack::<String>("ask someone else", question).unwrap_or_default()
//! });
//! client.connect()?;
//! let answer: String = client.emit_with_ack("question", "ready?")?;
//! for event in client.events::<(String, u32)>("price") {
//!     let (name, price) = event?;
//!     println!("{name}: {price}");
//! }
//! # Ok(())
//! # }
//! ```

use std::{
    future::Future,
    ops::Deref,
    pin::pin,
    sync::Arc,
    task::{Context as TaskContext, Poll, Wake, Waker},
    thread::Thread,
};

use serde::Serialize;
use sockeye_event::{ArgumentError, Event, FromEvent, FromReply};
use tokio::runtime::{Handle, Runtime, RuntimeFlavor};

use crate::{
    AckError, BuildError, ClientBuilder, ConnectError, Error, EventStream, StreamError,
    context::Context,
};

/// A client whose calls block. Dropping it closes it, and waits a moment for what was emitted to
/// leave.
#[derive(Debug)]
pub struct Client {
    client: crate::Client,
    main: Socket,
    /// None while it is dropped.
    runtime: Option<Runtime>,
}

/// A socket whose calls block. It may be captured by its own handlers, and is what they take as a
/// parameter where they want to block.
#[derive(Clone, Debug)]
pub struct Socket {
    socket: crate::Socket,
}

impl Client {
    pub(crate) fn build(builder: ClientBuilder) -> Result<Self, BuildError> {
        let runtime = tokio::runtime::Builder::new_multi_thread()
            .worker_threads(1)
            .thread_name("sockeye-client")
            .enable_all()
            .build()
            .map_err(|error| BuildError::Runtime(error.to_string()))?;
        let client = builder.build()?;
        client.shared().set_runtime(runtime.handle().clone());
        let main = Socket { socket: (*client).clone() };
        Ok(Self { client, main, runtime: Some(runtime) })
    }

    pub(crate) fn connect_built(builder: ClientBuilder) -> Result<Self, Error> {
        let client = Self::build(builder)?;
        client.connect()?;
        Ok(client)
    }

    /// The socket of another namespace over the same connection. See
    /// [`Client::socket`](crate::Client::socket).
    pub fn socket(&self, namespace: &str) -> Socket {
        Socket { socket: self.client.socket(namespace) }
    }

    /// The async client, for what does not block: its transport, its events, suspending it.
    pub fn inner(&self) -> &crate::Client {
        &self.client
    }

    /// Closes the client for good, and waits until what was emitted before has left.
    pub fn close(&self) {
        let client = self.client.clone();
        if let Some(runtime) = &self.runtime {
            let closing = runtime.spawn(async move { client.close().await });
            // A panic in there is logged by the runtime.
            let _ = block_on(closing);
        }
    }
}

impl Drop for Client {
    fn drop(&mut self) {
        self.close();
        if let Some(runtime) = self.runtime.take() {
            // The usual way would panic in async code.
            runtime.shutdown_background();
        }
    }
}

impl Deref for Client {
    type Target = Socket;

    fn deref(&self) -> &Socket {
        &self.main
    }
}

impl Socket {
    /// Connects, and blocks until it is connected, refused, or out of attempts. See
    /// [`Socket::connect`](crate::Socket::connect).
    ///
    /// # Errors
    /// If it is not connected and will not be.
    pub fn connect(&self) -> Result<(), ConnectError> {
        block_on(self.socket.connect())
    }

    /// Emits an event and blocks until the server has answered, or the client's `ack_timeout` is
    /// over. For another deadline: `socket.wait(socket.timeout(d).emit_with_ack("e", args))`.
    ///
    /// # Errors
    /// If there is no answer, or it has another type.
    pub fn emit_with_ack<R: FromReply>(
        &self,
        event: &str,
        args: impl Serialize,
    ) -> Result<R, AckError> {
        block_on(self.socket.emit_with_ack(event, args))
    }

    /// The events of that name as an iterator that blocks, and ends when the client is closed. See
    /// [`Socket::events`](crate::Socket::events).
    pub fn events<T: FromReply>(&self, event: &str) -> Events<T> {
        Events { stream: self.socket.events(event) }
    }

    /// Blocks until a future of this client's is ready.
    pub fn wait<F: Future>(&self, future: F) -> F::Output {
        block_on(future)
    }
}

impl Deref for Socket {
    type Target = crate::Socket;

    fn deref(&self) -> &crate::Socket {
        &self.socket
    }
}

impl FromEvent<Context> for Socket {
    fn from_event(context: &Context, _: &mut Event<'_>) -> Result<Self, ArgumentError> {
        Ok(Self { socket: context.socket.clone() })
    }
}

/// The events of one name; see [`Socket::events`].
#[derive(Debug)]
pub struct Events<T> {
    stream: EventStream<T>,
}

impl<T: FromReply> Iterator for Events<T> {
    type Item = Result<T, StreamError>;

    fn next(&mut self) -> Option<Self::Item> {
        block_on(self.stream.next())
    }
}

/// Runs a future that needs no runtime to the end. It may be called anywhere, in async code too,
/// where it blocks the thread all the same.
fn block_on<F: Future>(future: F) -> F::Output {
    let is_worker = Handle::try_current()
        .is_ok_and(|handle| handle.runtime_flavor() == RuntimeFlavor::MultiThread);
    if is_worker {
        // A handler blocks, perhaps for what this very thread would do: others take that over.
        tokio::task::block_in_place(|| park_on(future))
    } else {
        park_on(future)
    }
}

fn park_on<F: Future>(future: F) -> F::Output {
    struct Unpark(Thread);

    impl Wake for Unpark {
        fn wake(self: Arc<Self>) {
            self.0.unpark();
        }
    }

    let waker = Waker::from(Arc::new(Unpark(std::thread::current())));
    let mut cx = TaskContext::from_waker(&waker);
    let mut future = pin!(future);
    loop {
        match future.as_mut().poll(&mut cx) {
            Poll::Ready(output) => return output,
            Poll::Pending => std::thread::park(),
        }
    }
}
