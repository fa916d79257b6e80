//! The samples of `docs/` against the code they describe.
//!
//! A sample stands in a fenced block whose info string says what it is a sample of, for instance
//! `engine-packet`; `docs/protocol/README.md` explains the notation to those who read the pages.
//! Every block of every page is checked here. A page without samples, an unknown kind of block and
//! a line that cannot be read are failures, so a sample cannot fall out of the test unnoticed.

use std::{fs, path::Path};

use sockeye_protocol::engine::Revision;

mod client;
mod connection;
mod engine;
mod session;
mod socket;

/// Blocks that show something other than samples: HTTP as it looks, diagrams.
const PROSE: [&str; 2] = ["http", "text"];

/// A fenced block.
struct Block {
    kind: String,
    lines: Vec<Line>,
}

/// A line of a block; empty ones do not count.
struct Line {
    /// Where it stands: `docs/protocol/engine-io.md:42`.
    place: String,
    text: String,
}

/// Whether a sample is read, written, or both.
#[derive(Clone, Copy, PartialEq, Eq)]
enum Direction {
    /// `→`: this is what it means when it comes in.
    Read,
    /// `←`: this is what is written for it.
    Written,
    /// `↔`: both.
    Both,
}

impl Line {
    /// Splits `wire → meaning` at its first arrow.
    fn split(&self) -> (String, Direction, &str) {
        let arrows = [('→', Direction::Read), ('←', Direction::Written), ('↔', Direction::Both)];
        let arrow = arrows
            .iter()
            .filter_map(|(arrow, direction)| Some((self.text.find(*arrow)?, arrow, direction)))
            .min_by_key(|(position, ..)| *position);
        let Some((position, arrow, direction)) = arrow else {
            panic!("{}: no arrow in `{}`", self.place, self.text)
        };
        let wire = self.text[..position].trim();
        let wire = if wire == "(nothing)" { "" } else { wire };
        let meaning = self.text[position + arrow.len_utf8()..].trim();
        (unescape(wire), *direction, meaning)
    }
}

/// The separator of payloads as it is printed, for the byte that it is.
fn unescape(text: &str) -> String {
    text.replace('␞', "\u{1e}")
}

fn escape(text: &str) -> String {
    text.replace('\u{1e}', "␞")
}

/// `01 02`, or `(empty)`.
fn hex(bytes: &[u8]) -> String {
    if bytes.is_empty() {
        return "(empty)".to_owned();
    }
    bytes.iter().map(|byte| format!("{byte:02x}")).collect::<Vec<_>>().join(" ")
}

/// The bytes of [`hex`], if the text is some.
fn unhex(text: &str) -> Option<Vec<u8>> {
    if text == "(empty)" {
        return Some(Vec::new());
    }
    text.split(' ')
        .map(|pair| (pair.len() == 2).then(|| u8::from_str_radix(pair, 16).ok()).flatten())
        .collect()
}

/// Cuts a page into its blocks.
fn blocks(page: &str, text: &str) -> Vec<Block> {
    let mut blocks: Vec<Block> = Vec::new();
    let mut is_open = false;
    for (index, line) in text.lines().enumerate() {
        if let Some(info) = line.strip_prefix("```") {
            if !is_open {
                blocks.push(Block { kind: info.trim().to_owned(), lines: Vec::new() });
            }
            is_open = !is_open;
        } else if is_open && !line.trim().is_empty() {
            let place = format!("{page}:{}", index + 1);
            let block = blocks.last_mut().expect("a block is open");
            block.lines.push(Line { place, text: line.to_owned() });
        }
    }
    assert!(!is_open, "{page}: the last block is not closed");
    blocks
}

/// Checks a block; how many samples it holds.
fn check(page: &str, block: &Block) -> usize {
    match block.kind.as_str() {
        "engine-packet" => block.lines.iter().for_each(engine::check_packet),
        "payload" => block.lines.iter().for_each(engine::check_payload),
        "request" => block.lines.iter().for_each(engine::check_request),
        "refusal" => engine::check_refusals(&block.lines),
        "session" => session::check(&block.lines, Revision::V4),
        "session-3" => session::check(&block.lines, Revision::V3),
        "client-session" => client::check(&block.lines),
        "socket-packet" => block.lines.iter().for_each(socket::check_packet),
        "connection" => connection::check(&block.lines),
        kind if PROSE.contains(&kind) => return 0,
        kind => panic!("{page}: a block of the unknown kind `{kind}`"),
    }
    assert!(!block.lines.is_empty(), "{page}: an empty block of samples");
    block.lines.len()
}

#[test]
fn every_sample_is_what_the_code_does() {
    let docs = Path::new(env!("CARGO_MANIFEST_DIR")).join("../../docs");
    let mut pages = vec![docs.join("deviations.md")];
    let entries = fs::read_dir(docs.join("protocol")).expect("docs/protocol is there");
    pages.extend(entries.map(|entry| entry.expect("it can be listed").path()));
    pages.retain(|page| page.extension().is_some_and(|extension| extension == "md"));
    assert!(pages.len() >= 4, "pages are missing: {pages:?}");

    let mut total = 0;
    for path in pages {
        let page = format!("docs/{}", path.strip_prefix(&docs).expect("it is in docs").display());
        let text = fs::read_to_string(&path).expect("a page is UTF-8");
        let samples: usize = blocks(&page, &text).iter().map(|block| check(&page, block)).sum();
        assert!(samples > 0, "{page} has no samples");
        println!("{page}: {samples} samples");
        total += samples;
    }
    println!("{total} samples");
}
