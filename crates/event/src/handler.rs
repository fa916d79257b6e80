//! Which functions can handle an event.

use std::{marker::PhantomData, pin::Pin, sync::Arc};

use crate::{Event, FromEvent, HandlerError, IntoReply};

/// A function that can handle an event, where `C` is what the server or the client knows about the
/// event. `M` is always inferred.
///
/// It is any `Fn` of up to twelve parameters that are [`FromEvent`], async or plain, whose output is
/// [`IntoReply`]. Parameters are made in order before it runs; if one fails, it does not run.
/// Arguments beyond those it takes are ignored, as in JavaScript.
///
/// # Examples
/// ```
/// use sockeye_event::{Ack, erase};
///
/// # struct Context;
/// # fn on<M: 'static>(handler: impl sockeye_event::Handler<Context, M>) {
/// #     erase(handler);
/// # }
/// on(|letter: String, number: i64| async move { println!("{letter}{number}") });
/// on(|message: String| format!("got {message}"));
/// on(async |room: Option<String>, ack: Ack| {
///     ack.send(room.ok_or("no room")?.len());
///     Ok::<(), &str>(())
/// });
/// ```
#[diagnostic::on_unimplemented(
    message = "this cannot handle an event",
    label = "not an event handler",
    note = "a handler is `|a: A, b: B| async move {{ .. }}`, a plain closure or a function, with at most 12 parameters, each with its type written out",
    note = "each parameter is any type that implements `serde::Deserialize` and borrows nothing (`String`, not `&str`), or one such as `Ack`, `Raw` or `Rest<T>`",
    note = "it returns nothing, a value that implements `serde::Serialize`, or a `Result` whose error implements `std::error::Error` or `Serialize`",
    note = "it is `Send`, `Sync` and `'static`, and so is its future `Send`: use `move` closures, and hold no `Rc` or lock guard across an `.await`",
    note = "an `async` closure may not use what it captures: write `move |a: A| {{ let captured = captured.clone(); async move {{ .. }} }}`"
)]
pub trait Handler<C, M>: Send + Sync + 'static {
    /// Makes the parameters from `event`, and calls the function.
    fn call(&self, cx: &C, event: Event<'_>) -> Call;
}

/// What became of calling a handler.
#[must_use]
pub enum Call {
    /// The handler is plain, and is done; or its parameters could not be made.
    Ready(Result<(), HandlerError>),
    /// The handler is async, and has not been polled yet.
    Pending(HandlerFuture),
}

/// The rest of an async handler, the acknowledgement included.
pub type HandlerFuture = Pin<Box<dyn Future<Output = Result<(), HandlerError>> + Send>>;

/// Marks handlers that return a future.
pub struct Awaited<Parameters, Reply>(PhantomData<fn(Parameters) -> Reply>);

/// Marks handlers that return their outcome.
pub struct Returned<Parameters, Reply>(PhantomData<fn(Parameters) -> Reply>);

macro_rules! impl_handler {
    ($($parameter:ident)*) => {
        impl<C, F, Fut, Reply, $($parameter),*> Handler<C, Awaited<($($parameter,)*), Reply>> for F
        where
            F: Fn($($parameter),*) -> Fut + Send + Sync + 'static,
            Fut: Future<Output: IntoReply<Reply>> + Send + 'static,
            $($parameter: FromEvent<C>,)*
        {
            #[allow(non_snake_case, unused_mut, unused_variables)]
            fn call(&self, cx: &C, mut event: Event<'_>) -> Call {
                $(let $parameter = match $parameter::from_event(cx, &mut event) {
                    Ok(parameter) => parameter,
                    Err(error) => return Call::Ready(Err(error.into())),
                };)*
                let ack = event.ack().clone();
                let outcome = self($($parameter),*);
                Call::Pending(Box::pin(async move { outcome.await.into_reply(&ack) }))
            }
        }

        impl<C, F, R, Reply, $($parameter),*> Handler<C, Returned<($($parameter,)*), Reply>> for F
        where
            F: Fn($($parameter),*) -> R + Send + Sync + 'static,
            R: IntoReply<Reply>,
            $($parameter: FromEvent<C>,)*
        {
            #[allow(non_snake_case, unused_mut, unused_variables)]
            fn call(&self, cx: &C, mut event: Event<'_>) -> Call {
                $(let $parameter = match $parameter::from_event(cx, &mut event) {
                    Ok(parameter) => parameter,
                    Err(error) => return Call::Ready(Err(error.into())),
                };)*
                Call::Ready(self($($parameter),*).into_reply(event.ack()))
            }
        }
    };
}

impl_handler!();
impl_handler!(A1);
impl_handler!(A1 A2);
impl_handler!(A1 A2 A3);
impl_handler!(A1 A2 A3 A4);
impl_handler!(A1 A2 A3 A4 A5);
impl_handler!(A1 A2 A3 A4 A5 A6);
impl_handler!(A1 A2 A3 A4 A5 A6 A7);
impl_handler!(A1 A2 A3 A4 A5 A6 A7 A8);
impl_handler!(A1 A2 A3 A4 A5 A6 A7 A8 A9);
impl_handler!(A1 A2 A3 A4 A5 A6 A7 A8 A9 A10);
impl_handler!(A1 A2 A3 A4 A5 A6 A7 A8 A9 A10 A11);
impl_handler!(A1 A2 A3 A4 A5 A6 A7 A8 A9 A10 A11 A12);

/// A [`Handler`] whose type no longer tells its parameters.
pub trait ErasedHandler<C>: Send + Sync {
    /// Makes the parameters from `event`, and calls the function.
    fn call(&self, cx: &C, event: Event<'_>) -> Call;
}

/// How handlers are kept: shared by all sockets that they are registered for.
pub type BoxedHandler<C> = Arc<dyn ErasedHandler<C>>;

/// Forgets the type of a handler.
pub fn erase<C, M: 'static, H: Handler<C, M>>(handler: H) -> BoxedHandler<C> {
    struct Erased<H, M>(H, PhantomData<fn() -> M>);

    impl<C, M, H: Handler<C, M>> ErasedHandler<C> for Erased<H, M> {
        fn call(&self, cx: &C, event: Event<'_>) -> Call {
            self.0.call(cx, event)
        }
    }

    Arc::new(Erased(handler, PhantomData))
}
