//! A queue for what mostly comes one at a time.

use std::collections::VecDeque;

/// First in, first out. One item takes no memory but the queue's own words, and once the queue is
/// empty, it holds no memory for those that it had: of the queues of a server's connections, nearly
/// all are empty nearly always.
#[derive(Clone, Debug)]
pub struct Fifo<T> {
    first: Option<T>,
    /// Those behind it, if there are any.
    rest: Option<Box<VecDeque<T>>>,
}

impl<T> Fifo<T> {
    /// An empty queue.
    pub const fn new() -> Self {
        Self { first: None, rest: None }
    }

    /// Whether nothing is in it.
    pub fn is_empty(&self) -> bool {
        self.first.is_none()
    }

    /// The item that comes out next.
    pub fn front(&self) -> Option<&T> {
        self.first.as_ref()
    }

    /// All items, in their order.
    pub fn iter(&self) -> impl Iterator<Item = &T> {
        self.first.iter().chain(self.rest.iter().flat_map(|rest| rest.iter()))
    }

    /// Adds an item at the end.
    pub fn push_back(&mut self, item: T) {
        match &self.first {
            None => self.first = Some(item),
            Some(_) => self.rest.get_or_insert_default().push_back(item),
        }
    }

    /// Adds an item that comes out next.
    pub fn push_front(&mut self, item: T) {
        self.insert(0, item);
    }

    /// Adds an item that comes out behind `index` others.
    ///
    /// # Panics
    /// If there are fewer.
    pub fn insert(&mut self, index: usize, item: T) {
        if index > 0 {
            assert!(self.first.is_some(), "one behind others, but there are none");
            self.rest.get_or_insert_default().insert(index - 1, item);
        } else if let Some(second) = self.first.replace(item) {
            self.rest.get_or_insert_default().push_front(second);
        }
    }

    /// The item behind `index` others.
    pub fn get_mut(&mut self, index: usize) -> Option<&mut T> {
        if index == 0 { self.first.as_mut() } else { self.rest.as_mut()?.get_mut(index - 1) }
    }

    /// Takes the first item.
    pub fn pop_front(&mut self) -> Option<T> {
        let first = self.first.take()?;
        if let Some(rest) = &mut self.rest {
            self.first = rest.pop_front();
            if rest.is_empty() {
                self.rest = None;
            }
        }
        Some(first)
    }
}

impl<T> Default for Fifo<T> {
    fn default() -> Self {
        Self::new()
    }
}

impl<T> IntoIterator for Fifo<T> {
    type Item = T;
    type IntoIter = IntoIter<T>;

    fn into_iter(self) -> IntoIter<T> {
        IntoIter(self)
    }
}

/// Takes one item out after another.
#[derive(Debug)]
pub struct IntoIter<T>(Fifo<T>);

impl<T> Iterator for IntoIter<T> {
    type Item = T;

    fn next(&mut self) -> Option<T> {
        self.0.pop_front()
    }
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    proptest! {
        #[test]
        fn it_is_a_queue_that_keeps_no_memory(steps in proptest::collection::vec(0..4, 0..60)) {
            let mut fifo = Fifo::new();
            let mut model = VecDeque::new();
            for (index, step) in steps.into_iter().enumerate() {
                match step {
                    0 | 1 => {
                        fifo.push_back(index);
                        model.push_back(index);
                    }
                    2 => {
                        let place = index % (model.len() + 1);
                        fifo.insert(place, index);
                        model.insert(place, index);
                        prop_assert_eq!(fifo.get_mut(place), Some(&mut { index }));
                    }
                    _ => prop_assert_eq!(fifo.pop_front(), model.pop_front()),
                }
                prop_assert_eq!(fifo.front(), model.front());
                prop_assert_eq!(fifo.is_empty(), model.is_empty());
                prop_assert!(fifo.iter().eq(&model));
                prop_assert!(model.len() > 1 || fifo.rest.is_none());
            }
            prop_assert!(fifo.into_iter().eq(model));
        }
    }
}
