//! The payload `json1k` of `sockeye bench`, as a user would declare it: an order of a shop.

use serde::{Deserialize, Serialize};

#[derive(Serialize, Deserialize)]
pub(crate) struct Order {
    seq: String,
    id: u64,
    customer: String,
    email: String,
    active: bool,
    score: f64,
    tags: Vec<String>,
    address: Address,
    items: Vec<Item>,
    comment: String,
    history: Vec<Change>,
}

#[derive(Serialize, Deserialize)]
struct Address {
    street: String,
    city: String,
    postcode: String,
    country: String,
    location: Location,
}

#[derive(Serialize, Deserialize)]
struct Location {
    latitude: f64,
    longitude: f64,
}

#[derive(Serialize, Deserialize)]
struct Item {
    sku: String,
    title: String,
    quantity: u32,
    price: f64,
    options: ItemOptions,
}

#[derive(Serialize, Deserialize)]
struct ItemOptions {
    colour: String,
    size: String,
    gift: bool,
}

#[derive(Serialize, Deserialize)]
struct Change {
    at: u64,
    state: String,
}
