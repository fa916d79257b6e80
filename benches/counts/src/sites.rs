//! Which code asks for memory, as DHAT sees it.

use std::{collections::BTreeMap, env, fs};

use serde::Deserialize;

use crate::{
    load::{self, Work},
    process::Result,
};

/// How many frames of a stack are shown, and make a place.
const DEPTH: usize = 5;

/// The parts of DHAT's output that are read here.
#[derive(Deserialize)]
struct Profile {
    #[serde(rename = "pps")]
    places: Vec<Place>,
    /// What the indices in `frames` stand for.
    #[serde(rename = "ftbl")]
    table: Vec<String>,
}

#[derive(Deserialize)]
struct Place {
    #[serde(rename = "tb")]
    asked_bytes: f64,
    #[serde(rename = "tbk")]
    asked_blocks: f64,
    #[serde(rename = "eb")]
    used_bytes: f64,
    #[serde(rename = "ebk")]
    used_blocks: f64,
    #[serde(rename = "fs")]
    frames: Vec<usize>,
}

/// Bytes and blocks, by the innermost frames that are not of the standard library.
type Sites = BTreeMap<Vec<String>, [f64; 2]>;

/// Prints who asks for memory per message, delivery or connection; or who has asked for what an
/// idle connection uses. A block that grows counts where it was asked for first.
pub(crate) fn print(name: &str) -> Result {
    let work = Work::named(name);
    let per_round = work.map_or(1, Work::per_round);
    let rounds = 200_usize.div_ceil(per_round).max(5);
    let once = profile(name, rounds, work.is_none())?;
    let twice = profile(name, 2 * rounds, work.is_none())?;

    let units = (rounds * per_round) as f64;
    let mut sites: Vec<_> = difference(&once, twice)
        .into_iter()
        .map(|(frames, [bytes, blocks])| (frames, bytes / units, blocks / units))
        .filter(|(_, bytes, _)| bytes.abs() > 0.005)
        .collect();
    sites.sort_by(|(_, a, _), (_, b, _)| b.total_cmp(a));
    for (frames, bytes, blocks) in sites {
        println!("{bytes:9.2} bytes {blocks:7.3} blocks  {}", frames.join(&format!("\n{:34}", "")));
    }
    Ok(())
}

fn profile(name: &str, rounds: usize, in_use: bool) -> Result<Sites> {
    let file = env::current_exe()?.with_extension("dhat.json");
    let options = ["valgrind", "--tool=dhat", "--num-callers=40", "--log-file=/dev/null"];
    let mut program = options.map(str::to_owned).to_vec();
    program.push(format!("--dhat-out-file={}", file.display()));
    load::run(name, rounds, &program)?;
    Ok(sites(&serde_json::from_str(&fs::read_to_string(file)?)?, in_use))
}

fn sites(profile: &Profile, in_use: bool) -> Sites {
    let mut sites = Sites::new();
    for place in &profile.places {
        let frames = place.frames.iter().filter_map(|index| profile.table.get(*index));
        let site: Vec<_> = frames.filter_map(|frame| tell(frame)).take(DEPTH).collect();
        let [bytes, blocks] = sites.entry(site).or_default();
        *bytes += if in_use { place.used_bytes } else { place.asked_bytes };
        *blocks += if in_use { place.used_blocks } else { place.asked_blocks };
    }
    sites
}

/// `0x4A41030: to_owned_headers (handshake.rs:87)` without the address, and nothing for what is
/// between code and `malloc`.
fn tell(frame: &str) -> Option<String> {
    const BETWEEN: [&str; 4] = ["(library/", "(in /", "UnknownInlinedFun", "(allocator.rs:"];
    let (_, frame) = frame.split_once(": ")?;
    (!BETWEEN.iter().any(|part| frame.contains(part))).then(|| frame.to_owned())
}

fn difference(before: &Sites, mut after: Sites) -> Sites {
    for (frames, [bytes, blocks]) in before {
        let after = after.entry(frames.clone()).or_default();
        after[0] -= bytes;
        after[1] -= blocks;
    }
    after
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn blocks_are_added_up_by_the_code_that_asked() {
        let profile = r#"{
            "pps": [
                { "tb": 30, "tbk": 3, "eb": 10, "ebk": 1, "fs": [1, 2, 4] },
                { "tb": 12, "tbk": 2, "eb": 0, "ebk": 0, "fs": [1, 3, 4] }
            ],
            "ftbl": [
                "[root]",
                "0x4842839: malloc (in /usr/lib/vgpreload_dhat.so)",
                "0x11: with_capacity (library/alloc/src/vec/mod.rs:524)",
                "0x12: UnknownInlinedFun (boxed.rs:1)",
                "0x13: sockeye::emit::encode (emit.rs:28)"
            ]
        }"#;
        let profile = serde_json::from_str(profile).unwrap();
        let site = vec!["sockeye::emit::encode (emit.rs:28)".to_owned()];
        assert_eq!(sites(&profile, false), Sites::from([(site.clone(), [42., 5.])]));
        let in_use = sites(&profile, true);
        assert_eq!(in_use, Sites::from([(site.clone(), [10., 1.])]));
        assert_eq!(difference(&in_use, sites(&profile, false))[&site], [32., 4.]);
    }
}
