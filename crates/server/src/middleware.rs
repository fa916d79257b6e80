//! What decides who may join a namespace.

use std::{future::Future, marker::PhantomData, pin::Pin, sync::Arc};

use sockeye_event::{ArgumentError, Event, FromEvent};

use crate::{ConnectError, IntoConnectError, extract::Context};

/// A function that lets a socket into a namespace or refuses it
/// ([`Namespace::middleware`](crate::Namespace::middleware)), or an event to its handlers
/// ([`Socket::middleware`](crate::Socket::middleware)). It takes what a handler takes; for a socket
/// the one argument is the client's `auth`. It is async or plain, and returns `Result<(), E>`,
/// where `E` is a [`ConnectError`], what becomes one (a string, a boxed error), or any other type
/// that implements [`Error`](std::error::Error), whose text the client gets. See
/// [`IntoConnectError`].
///
/// `M` is always inferred.
#[diagnostic::on_unimplemented(
    message = "this cannot be a middleware",
    label = "not a middleware",
    note = "a middleware is `|socket: Socket, auth: Auth| async move {{ .. }}` or a plain closure; it returns `Result<(), E>`, where `E` is `String`, `&'static str`, `ConnectError`, `Box<dyn Error + Send + Sync>` or a type that implements `std::error::Error`"
)]
pub trait Middleware<M>: Send + Sync + 'static {
    /// Makes the parameters and calls the function.
    fn call(&self, context: &Context, event: Event<'_>) -> Verdict;
}

/// What a middleware says, now or later.
pub type Verdict = Pin<Box<dyn Future<Output = Result<(), Refused>> + Send>>;

/// Why a middleware lets something not pass.
#[derive(Clone, Debug)]
#[non_exhaustive]
pub enum Refused {
    /// What the client sent does not fit the parameters, so that the middleware did not run.
    Arguments(ArgumentError),
    /// The middleware says so.
    Error(ConnectError),
}

/// Marks middlewares that return a future.
pub struct Awaited<Parameters, E, M>(PhantomData<fn(Parameters) -> (E, M)>);

/// Marks middlewares that return their verdict.
pub struct Returned<Parameters, E, M>(PhantomData<fn(Parameters) -> (E, M)>);

macro_rules! impl_middleware {
    ($($parameter:ident)*) => {
        impl<F, Fut, E, M, $($parameter),*> Middleware<Awaited<($($parameter,)*), E, M>> for F
        where
            F: Fn($($parameter),*) -> Fut + Send + Sync + 'static,
            Fut: Future<Output = Result<(), E>> + Send + 'static,
            E: IntoConnectError<M>,
            $($parameter: FromEvent<Context>,)*
        {
            #[allow(non_snake_case, unused_mut, unused_variables)]
            fn call(&self, context: &Context, mut event: Event<'_>) -> Verdict {
                $(let $parameter = match $parameter::from_event(context, &mut event) {
                    Ok(parameter) => parameter,
                    Err(error) => return refuse(error),
                };)*
                let verdict = self($($parameter),*);
                Box::pin(async move {
                    verdict.await.map_err(|error| Refused::Error(error.into_connect_error()))
                })
            }
        }

        impl<F, E, M, $($parameter),*> Middleware<Returned<($($parameter,)*), E, M>> for F
        where
            F: Fn($($parameter),*) -> Result<(), E> + Send + Sync + 'static,
            E: IntoConnectError<M>,
            $($parameter: FromEvent<Context>,)*
        {
            #[allow(non_snake_case, unused_mut, unused_variables)]
            fn call(&self, context: &Context, mut event: Event<'_>) -> Verdict {
                $(let $parameter = match $parameter::from_event(context, &mut event) {
                    Ok(parameter) => parameter,
                    Err(error) => return refuse(error),
                };)*
                let verdict = self($($parameter),*);
                let verdict = verdict.map_err(|error| Refused::Error(error.into_connect_error()));
                Box::pin(std::future::ready(verdict))
            }
        }
    };
}

impl_middleware!();
impl_middleware!(A1);
impl_middleware!(A1 A2);
impl_middleware!(A1 A2 A3);
impl_middleware!(A1 A2 A3 A4);
impl_middleware!(A1 A2 A3 A4 A5);

fn refuse(error: ArgumentError) -> Verdict {
    Box::pin(std::future::ready(Err(Refused::Arguments(error))))
}

pub(crate) type BoxedMiddleware = Arc<dyn Fn(&Context, Event<'_>) -> Verdict + Send + Sync>;

pub(crate) fn erase<M>(middleware: impl Middleware<M>) -> BoxedMiddleware {
    Arc::new(move |context, event| middleware.call(context, event))
}
