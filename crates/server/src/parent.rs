//! Namespaces that come to be when clients ask for them.

use std::{fmt, future::Future, pin::Pin, sync::Arc};

use bytestring::ByteString;
use serde::{Serialize, de::DeserializeOwned};
use sockeye_adapter::{Flags, Target};
use sockeye_event::Handler;

use crate::{
    EmitError, IntoRooms, ListenerId, Middleware, Namespace, emit,
    extract::Context,
    server::{Core, Shared},
};

/// What namespaces of a kind have in common: their handlers, their middlewares, and who may bring
/// them about. Made by [`Server::of_matching`](crate::Server::of_matching) and
/// [`Server::of_matching_async`](crate::Server::of_matching_async).
///
/// A namespace is its child if a client brought it about, or if the application asked for its name
/// and a [`of_matching`](crate::Server::of_matching) matches. A child starts with the handlers and
/// middlewares that the parent has at that moment; those that come later are for later children.
///
/// What is emitted to it goes to all its children, encoded once for each: their names differ.
#[derive(Clone)]
pub struct ParentNamespace {
    shared: Arc<Shared>,
    parent: Arc<Parent>,
}

/// What children are made from.
pub(crate) struct Parent {
    admits: Admits,
    /// Has the handlers that children start with. No socket is ever in it.
    template: Namespace,
}

/// Decides whether a namespace of that name may come to be.
enum Admits {
    Name(Box<dyn Fn(&str) -> bool + Send + Sync>),
    NameAndAuth(Box<dyn Fn(&str, &str) -> Verdict + Send + Sync>),
}

type Verdict = Pin<Box<dyn Future<Output = bool> + Send>>;

impl Parent {
    pub(crate) fn matching(
        core: Arc<Core>,
        matches: impl Fn(&str) -> bool + Send + Sync + 'static,
    ) -> Self {
        Self::new(core, Admits::Name(Box::new(matches)))
    }

    pub(crate) fn matching_async<A, F, Fut>(core: Arc<Core>, matches: F) -> Self
    where
        A: DeserializeOwned,
        F: Fn(String, A) -> Fut + Send + Sync + 'static,
        Fut: Future<Output = bool> + Send + 'static,
    {
        let ask = move |name: &str, auth: &str| -> Verdict {
            match serde_json::from_str(auth) {
                Ok(auth) => Box::pin(matches(name.to_owned(), auth)),
                Err(error) => {
                    tracing::debug!(name, %error, "the auth of a client does not fit a namespace");
                    Box::pin(std::future::ready(false))
                }
            }
        };
        Self::new(core, Admits::NameAndAuth(Box::new(ask)))
    }

    fn new(core: Arc<Core>, admits: Admits) -> Self {
        Self { admits, template: Namespace::template(core) }
    }

    pub(crate) fn template(&self) -> &Namespace {
        &self.template
    }

    /// Whether the name alone makes a namespace its child.
    pub(crate) fn matches(&self, name: &str) -> bool {
        match &self.admits {
            Admits::Name(matches) => matches(name),
            Admits::NameAndAuth(_) => false,
        }
    }

    /// The first that lets a client with this `auth`, some JSON, bring the namespace about.
    pub(crate) async fn find(
        parents: Arc<[Arc<Self>]>,
        name: ByteString,
        auth: Option<ByteString>,
    ) -> Option<Arc<Self>> {
        let auth = auth.as_deref().unwrap_or("{}");
        for parent in parents.iter() {
            if parent.admits(&name, auth).await {
                return Some(parent.clone());
            }
        }
        None
    }

    async fn admits(&self, name: &str, auth: &str) -> bool {
        match &self.admits {
            Admits::Name(matches) => matches(name),
            Admits::NameAndAuth(ask) => ask(name, auth).await,
        }
    }
}

impl ParentNamespace {
    pub(crate) fn new(shared: Arc<Shared>, parent: Parent) -> Self {
        let parent = Arc::new(parent);
        shared.namespaces.add_parent(parent.clone());
        Self { shared, parent }
    }

    /// The children that there are.
    pub fn children(&self) -> Vec<Namespace> {
        let mut all = self.shared.namespaces.all();
        all.retain(|namespace| namespace.is_child_of(&self.parent));
        all
    }

    /// Calls a handler for every socket that joins a child. See [`Namespace::on_connection`].
    pub fn on_connection<M: 'static>(&self, handler: impl Handler<Context, M>) -> ListenerId {
        self.parent.template.on_connection(handler)
    }

    /// Decides who may join a child. See [`Namespace::middleware`].
    pub fn middleware<M: 'static>(&self, middleware: impl Middleware<M>) {
        self.parent.template.middleware(middleware);
    }

    /// Calls a handler for every event of that name in a child. See [`Namespace::on`].
    pub fn on<M: 'static>(&self, event: &str, handler: impl Handler<Context, M>) -> ListenerId {
        self.parent.template.on(event, handler)
    }

    /// Calls a handler for every event from clients in a child. See [`Namespace::on_any`].
    pub fn on_any<M: 'static>(&self, handler: impl Handler<Context, M>) -> ListenerId {
        self.parent.template.on_any(handler)
    }

    /// Calls a handler for every event that is emitted in a child. See
    /// [`Namespace::on_any_outgoing`].
    pub fn on_any_outgoing<M: 'static>(&self, handler: impl Handler<Context, M>) -> ListenerId {
        self.parent.template.on_any_outgoing(handler)
    }

    /// Calls a handler for every socket that is about to leave a child. See
    /// [`Socket::on_disconnecting`](crate::Socket::on_disconnecting).
    pub fn on_disconnecting<M: 'static>(&self, handler: impl Handler<Context, M>) -> ListenerId {
        self.parent.template.on_disconnecting(handler)
    }

    /// Calls a handler for every socket that leaves a child. See
    /// [`Socket::on_disconnect`](crate::Socket::on_disconnect).
    pub fn on_disconnect<M: 'static>(&self, handler: impl Handler<Context, M>) -> ListenerId {
        self.parent.template.on_disconnect(handler)
    }

    fn broadcast(&self) -> ParentBroadcast {
        let parent = self.clone();
        ParentBroadcast { parent, target: Target::default(), flags: Flags::default() }
    }

    /// Emits to every socket in all children. See [`Broadcast::emit`](crate::Broadcast::emit).
    pub fn emit<T: Serialize>(&self, event: &str, args: T) {
        self.broadcast().emit(event, args);
    }

    /// The same, for those who want to know whether it could be encoded.
    ///
    /// # Errors
    ///
    /// If the name is reserved, or a value has no form on the wire.
    pub fn try_emit<T: Serialize>(&self, event: &str, args: T) -> Result<(), EmitError> {
        self.broadcast().try_emit(event, args)
    }

    /// The sockets of all children in a room of that name, or in several.
    pub fn to(&self, rooms: impl IntoRooms) -> ParentBroadcast {
        self.broadcast().to(rooms)
    }

    /// The same as [`to`](Self::to).
    pub fn within(&self, rooms: impl IntoRooms) -> ParentBroadcast {
        self.to(rooms)
    }

    /// The sockets of all children that are not in a room of that name, or in any of several.
    pub fn except(&self, rooms: impl IntoRooms) -> ParentBroadcast {
        self.broadcast().except(rooms)
    }

    /// The sockets of all children that can take an event now. See
    /// [`Broadcast::volatile`](crate::Broadcast::volatile).
    pub fn volatile(&self) -> ParentBroadcast {
        self.broadcast().volatile()
    }

    /// The sockets of all children on this node. See [`Broadcast::local`](crate::Broadcast::local).
    pub fn local(&self) -> ParentBroadcast {
        self.broadcast().local()
    }
}

impl fmt::Debug for ParentNamespace {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("ParentNamespace").field("children", &self.children()).finish()
    }
}

/// Whom an event is for, in all children of a [`ParentNamespace`].
#[derive(Clone, Debug)]
#[must_use = "nothing is sent before `emit`"]
pub struct ParentBroadcast {
    parent: ParentNamespace,
    target: Target,
    flags: Flags,
}

impl ParentBroadcast {
    /// Also the sockets of this room, or of these.
    pub fn to(mut self, rooms: impl IntoRooms) -> Self {
        rooms.append_to(&mut self.target.rooms);
        self
    }

    /// The same as [`to`](Self::to).
    pub fn within(self, rooms: impl IntoRooms) -> Self {
        self.to(rooms)
    }

    /// Not the sockets of this room, or of these, whatever else they are in.
    pub fn except(mut self, rooms: impl IntoRooms) -> Self {
        rooms.append_to(&mut self.target.except);
        self
    }

    /// See [`Broadcast::volatile`](crate::Broadcast::volatile).
    pub fn volatile(mut self) -> Self {
        self.flags.volatile = true;
        self
    }

    /// See [`Broadcast::local`](crate::Broadcast::local).
    pub fn local(mut self) -> Self {
        self.flags.local = true;
        self
    }

    /// Emits an event. See [`Broadcast::emit`](crate::Broadcast::emit).
    pub fn emit<T: Serialize>(&self, event: &str, args: T) {
        if let Err(error) = self.try_emit(event, args) {
            emit::log_failure("all children", event, &error);
        }
    }

    /// The same, for those who want to know.
    ///
    /// # Errors
    ///
    /// If the name is reserved, or a value has no form on the wire.
    pub fn try_emit<T: Serialize>(&self, event: &str, args: T) -> Result<(), EmitError> {
        for child in self.parent.children() {
            let packet = emit::encode_event(&child, None, event, &args)?;
            child.adapter().broadcast(&packet, &self.target, self.flags);
        }
        Ok(())
    }
}
