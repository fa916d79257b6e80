//! About 1 KiB of nested JSON, and what a user would declare for it.

use serde::{Deserialize, Serialize};

/// An order, say. Its fields are in the order of the alphabet, so that it comes back from a
/// `serde_json::Value` as it went in, byte for byte.
#[derive(Serialize, Deserialize)]
pub(crate) struct Document {
    author: Author,
    created: String,
    id: u64,
    items: Vec<Item>,
    note: Option<String>,
    paid: bool,
    tags: Vec<String>,
}

#[derive(Serialize, Deserialize)]
struct Author {
    email: String,
    id: u64,
    name: String,
}

#[derive(Serialize, Deserialize)]
struct Item {
    at: [f64; 2],
    count: u32,
    name: String,
    price: f64,
}

impl Document {
    pub(crate) fn new() -> Self {
        let items = (1..=10).map(|n| Item {
            at: [52.5 + f64::from(n) / 64.0, 13.25 - f64::from(n) / 64.0],
            count: n,
            name: format!("item number {n:02} of the list"),
            price: f64::from(n) * 12.75,
        });
        Self {
            author: Author {
                email: "ada@example.org".to_owned(),
                id: 4_711,
                name: "Ada Lovelace".to_owned(),
            },
            created: "2026-11-24T12:00:00.000Z".to_owned(),
            id: 9_007_199_254,
            items: items.collect(),
            note: None,
            paid: true,
            tags: ["express", "fragile", "grüße"].map(str::to_owned).into(),
        }
    }
}
