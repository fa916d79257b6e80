//! Prints a table that compares WebSocket layers; see `README.md`.

mod allocator;
mod layers;
mod measure;
mod wire;

use layers::Layer;
use measure::Work;

fn main() {
    let args: Vec<String> = std::env::args().skip(1).collect();
    if !args.is_empty() {
        return measure::run_work(&args);
    }

    let layers = &Layer::ALL[1..];
    layers.iter().for_each(|layer| measure::check(*layer));
    let instructions = |layer, work| {
        measure::instructions(layer, work)
            .map_or("no valgrind".to_owned(), |count| count.to_string())
    };
    let row = |name: &str, cell: &dyn Fn(Layer) -> String| {
        let cells: Vec<String> = layers.iter().map(|layer| cell(*layer)).collect();
        println!("| {name} | {} |", cells.join(" | "));
    };

    row("", &Layer::name);
    row("---", &|_| "---".to_owned());
    row("heap bytes, idle connection", &|layer| measure::idle_bytes(layer).to_string());
    row("heap bytes, 1 MB announced and not sent", &|layer| {
        measure::announced_bytes(layer).to_string()
    });
    row("heap bytes, one echo of 32 B not taken", &|layer| {
        measure::waiting_bytes(layer).to_string()
    });
    row("allocations per echo, 32 B", &|layer| format!("{:.3}", measure::echo_allocations(layer)));
    row("instructions per echo, 32 B", &|layer| instructions(layer, Work::SmallEcho));
    row("instructions per echo, 16 KiB", &|layer| instructions(layer, Work::LargeEcho));
    row("reads + writes per echo, 16 KiB", &|layer| {
        let (reads, writes) = measure::large_reads_and_writes(layer);
        format!("{reads} + {writes}")
    });
    row("writes for 16 messages read together", &|layer| measure::burst_writes(layer).to_string());
    row("fan-out: allocations per delivery", &|layer| format!("{:.3}", measure::fan_out(layer).0));
    row("fan-out: bytes copied before the write, of 34", &|layer| {
        measure::fan_out(layer).1.to_string()
    });
    row("fan-out: instructions per delivery", &|layer| instructions(layer, Work::FanOut));
    row("a frame over the limit", &measure::too_large_frame);
    row("a message over the limit, in two frames", &measure::too_large_message);
    row("100,000 empty fragments", &measure::many_fragments);
    println!();
    println!(
        "The harness alone takes {}, {} and {} of the instructions.",
        instructions(Layer::Bare, Work::SmallEcho),
        instructions(Layer::Bare, Work::LargeEcho),
        instructions(Layer::Bare, Work::FanOut),
    );
}
