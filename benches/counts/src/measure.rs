//! What is counted, and how often.

use crate::{
    allocator::{self, Change},
    codec,
    load::{self, Idle, Work},
    process::{Process, Result},
    report::{Row, Section},
    tools::{self, Tool},
};

/// Counts everything.
pub(crate) fn all() -> Result<Vec<Section>> {
    let mut sections = vec![
        Section {
            name: "allocations",
            about: "blocks and bytes asked for, per message, delivery or connection",
            tolerance: 0.005,
            least: 0.002,
            by_compiler: false,
            rows: load::ALL.iter().map(allocations).collect::<Result<_>>()?,
        },
        Section {
            name: "heap",
            about: "blocks and bytes in use per idle connection, over 1,000 of them",
            tolerance: 0.005,
            least: 0.01,
            by_compiler: false,
            rows: load::IDLE.iter().map(heap).collect::<Result<_>>()?,
        },
    ];
    if tools::AVAILABLE {
        sections.extend([
            Section {
                name: "calls",
                about: "system calls, per message, delivery or connection",
                tolerance: 0.05,
                least: 0.01,
                by_compiler: false,
                rows: load::ALL.iter().map(calls).collect::<Result<_>>()?,
            },
            Section {
                name: "copied",
                about: "bytes copied in calls of memcpy, per message, delivery or connection",
                tolerance: 0.02,
                least: 1.,
                by_compiler: true,
                rows: load::ALL.iter().map(copied).collect::<Result<_>>()?,
            },
            Section {
                name: "instructions",
                about: "instructions, per message, delivery, connection or call",
                tolerance: 0.03,
                least: 10.,
                by_compiler: true,
                rows: load::ALL
                    .iter()
                    .map(instructions)
                    .chain(codec::ALL.into_iter().map(codec_instructions))
                    .collect::<Result<_>>()?,
            },
        ]);
    }
    Ok(sections)
}

fn allocations(work: &Work) -> Result<Row> {
    let mut server = Process::counting()?;
    let mut load = work.start(server.address);
    let rounds = match work.per_round() {
        1 => 2_000,
        messages => (10_000 / messages).max(20),
    };
    // Buffers grow to their size, and what is made once is made.
    (0..rounds / 10).for_each(|_| load.round());
    let before = server.snapshot()?;
    (0..rounds).for_each(|_| load.round());
    let change = server.snapshot()?.since(&before);
    server.end()?;

    let units = rounds * work.per_round();
    let Change { asked, asked_blocks, .. } = change;
    Ok(Row {
        name: work.name,
        values: vec![
            ("blocks", asked_blocks.iter().sum::<i64>() as f64 / units as f64),
            ("bytes", asked as f64 / units as f64),
        ],
        tolerance: None,
        note: allocator::largest(&asked_blocks, units),
    })
}

fn heap(idle: &Idle) -> Result<Row> {
    const CONNECTIONS: usize = 1000;
    let mut server = Process::counting()?;
    let address = server.address;
    let open = |count| -> Vec<_> { (0..count).map(|index| (idle.open)(address, index)).collect() };
    // What the first connection makes for all of them is no connection's own.
    let first = open(1);
    let (before, resident_before) = (server.snapshot()?, server.resident());
    let connections = open(CONNECTIONS);
    let (after, resident_after) = (server.snapshot()?, server.resident());
    drop((first, connections));
    server.end()?;

    let Change { used, used_blocks, .. } = after.since(&before);
    let resident = resident_after.zip(resident_before).map(|(after, before)| after - before);
    let mut note = allocator::largest(&used_blocks, CONNECTIONS);
    if let Some(resident) = resident {
        note = format!("{note}; resident {}", resident / CONNECTIONS as i64);
    }
    Ok(Row {
        name: idle.name,
        values: vec![
            ("blocks", used_blocks.iter().sum::<i64>() as f64 / CONNECTIONS as f64),
            ("bytes", used as f64 / CONNECTIONS as f64),
        ],
        tolerance: None,
        note,
    })
}

fn calls(work: &Work) -> Result<Row> {
    let tally = Tool::Strace.per_unit(work, 400)?;
    Ok(Row {
        name: work.name,
        values: vec![("reads", tally.first), ("writes", tally.writes), ("others", tally.others)],
        tolerance: None,
        // How much comes together is for the kernel to decide.
        note: format!("waits {:.2}", tally.waits),
    })
}

fn copied(work: &Work) -> Result<Row> {
    let tally = Tool::Copies.per_unit(work, 200)?;
    Ok(row(work.name, "bytes", tally.first))
}

fn instructions(work: &Work) -> Result<Row> {
    let tally = Tool::Callgrind.per_unit(work, 200)?;
    let tolerance = work.has_many_connections().then_some(0.1);
    Ok(Row { tolerance, ..row(work.name, "count", tally.first) })
}

fn codec_instructions(work: &'static str) -> Result<Row> {
    let tally = Tool::Callgrind.per_call(work, 200)?;
    Ok(row(work, "count", tally.first))
}

fn row(name: &'static str, key: &'static str, value: f64) -> Row {
    Row { name, values: vec![(key, value)], tolerance: None, note: String::new() }
}
