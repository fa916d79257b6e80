//! Which namespaces there are, and which may come to be.

use std::{
    collections::HashMap,
    panic::{AssertUnwindSafe, catch_unwind},
    sync::{Arc, PoisonError, RwLock},
};

use crate::{Namespace, parent::Parent, server::Core};

/// Called with every namespace that is made.
pub(crate) type Announcer = Arc<dyn Fn(Namespace) + Send + Sync>;

/// The namespaces of a server. They are never locked while the application's code runs.
#[derive(Default)]
pub(crate) struct Namespaces {
    table: RwLock<Table>,
    makers: RwLock<Makers>,
}

#[derive(Default)]
struct Table {
    by_name: HashMap<Box<str>, Namespace>,
    /// How many of them are there for clients only, who have brought them about.
    children: usize,
}

impl Table {
    /// The namespace of that name, if it exists, which stays from now on.
    fn keep(&mut self, name: &str) -> Option<Namespace> {
        let namespace = self.by_name.get(name)?;
        self.children -= usize::from(namespace.keep());
        Some(namespace.clone())
    }
}

/// What more namespaces are made by.
#[derive(Clone, Default)]
struct Makers {
    parents: Arc<[Arc<Parent>]>,
    announcers: Arc<[Announcer]>,
}

impl Namespaces {
    fn read<T>(&self, read: impl FnOnce(&Table) -> T) -> T {
        read(&self.table.read().unwrap_or_else(PoisonError::into_inner))
    }

    fn write<T>(&self, write: impl FnOnce(&mut Table) -> T) -> T {
        write(&mut self.table.write().unwrap_or_else(PoisonError::into_inner))
    }

    fn makers(&self) -> Makers {
        self.makers.read().unwrap_or_else(PoisonError::into_inner).clone()
    }

    pub(crate) fn all(&self) -> Vec<Namespace> {
        self.read(|table| table.by_name.values().cloned().collect())
    }

    /// The namespace of exactly that name, if it exists.
    pub(crate) fn get(&self, name: &str) -> Option<Namespace> {
        self.read(|table| table.by_name.get(name).cloned())
    }

    /// The same for a socket that is about to be in it, so that it stays for the time being.
    pub(crate) fn enter(&self, name: &str) -> Option<Namespace> {
        self.read(|table| {
            let namespace = table.by_name.get(name)?;
            namespace.enter();
            Some(namespace.clone())
        })
    }

    /// The main namespace, which nobody is told of.
    pub(crate) fn insert_main(&self, main: Namespace) {
        main.open();
        self.write(|table| table.by_name.insert("/".into(), main));
    }

    /// The namespace of that name, which is made if need be: the application wants it, so it stays.
    pub(crate) fn get_or_make(&self, name: &str, core: &Arc<Core>) -> Namespace {
        let existing = match self.get(name) {
            Some(namespace) if namespace.is_passing() => self.write(|table| table.keep(name)),
            existing => existing,
        };
        if let Some(namespace) = existing {
            return namespace;
        }
        let parents = self.makers().parents;
        let parent = parents.iter().find(|parent| parent.matches(name)).cloned();
        // Its adapter is made by the application, which may hold or take locks of its own. Of two
        // that are made at the same time, the first to get here stays.
        let made = match parent {
            Some(parent) => Namespace::child(name, core.clone(), parent, false),
            None => Namespace::new(name, core.clone()),
        };
        let stays = self.write(|table| {
            table.keep(name).unwrap_or_else(|| {
                table.by_name.insert(name.into(), made.clone());
                made.clone()
            })
        });
        if stays.is(&made) {
            self.announce(&stays);
        }
        stays
    }

    /// The child of that name, for a socket that is about to be in it; none if there are too many.
    pub(crate) fn enter_child(
        &self,
        name: &str,
        core: &Arc<Core>,
        parent: Arc<Parent>,
    ) -> Option<Namespace> {
        let max = core.options.max_child_namespaces;
        // To be refused costs no adapter, however often a client asks.
        if self.read(|table| table.children >= max && !table.by_name.contains_key(name)) {
            tracing::warn!(max, "a namespace is not made: there are too many");
            return None;
        }
        let made = Namespace::child(name, core.clone(), parent, true);
        let (stays, is_made) = self.write(|table| {
            if let Some(existing) = table.by_name.get(name) {
                existing.enter();
                return Some((existing.clone(), false));
            }
            if table.children >= max {
                return None;
            }
            made.enter();
            table.children += 1;
            table.by_name.insert(name.into(), made.clone());
            Some((made.clone(), true))
        })?;
        if is_made {
            self.announce(&stays);
        }
        Some(stays)
    }

    /// Tells those who want to know that a namespace has been made, and lets sockets in.
    fn announce(&self, namespace: &Namespace) {
        for announcer in self.makers().announcers.iter() {
            let told = catch_unwind(AssertUnwindSafe(|| announcer(namespace.clone())));
            if told.is_err() {
                tracing::error!(?namespace, "a handler of new namespaces panicked");
            }
        }
        namespace.open();
    }

    /// A namespace has lost its last socket: it goes, if it came by itself.
    pub(crate) fn clean_up(&self, namespace: &Namespace) {
        let removed = self.write(|table| {
            let existing = table.by_name.get(namespace.name())?;
            // Another socket may have come, or another namespace of that name.
            if !existing.is(namespace) || !existing.is_deserted() {
                return None;
            }
            table.children -= 1;
            table.by_name.remove(namespace.name())
        });
        // Its handlers and its adapter are the application's, and are dropped with no lock held.
        drop(removed);
    }

    pub(crate) fn add_parent(&self, parent: Arc<Parent>) {
        let mut makers = self.makers.write().unwrap_or_else(PoisonError::into_inner);
        makers.parents = makers.parents.iter().cloned().chain([parent]).collect();
    }

    pub(crate) fn add_announcer(&self, announcer: Announcer) {
        let mut makers = self.makers.write().unwrap_or_else(PoisonError::into_inner);
        makers.announcers = makers.announcers.iter().cloned().chain([announcer]).collect();
    }

    pub(crate) fn parents(&self) -> Arc<[Arc<Parent>]> {
        self.makers().parents
    }

    /// Forgets all that the application has registered.
    pub(crate) fn forget_handlers(&self) {
        let forgotten = {
            let mut makers = self.makers.write().unwrap_or_else(PoisonError::into_inner);
            std::mem::take(&mut *makers)
        };
        drop(forgotten);
        self.all().iter().for_each(Namespace::forget_handlers);
    }
}
