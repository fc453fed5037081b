//! cargo-leptos, without what building this project does not need of it.

use cargo_leptos::{config::Cli, logger, run};
use clap::Parser;

fn main() -> color_eyre::Result<()> {
    color_eyre::install()?;
    // Cargo names the subcommand a second time.
    let arguments = std::env::args().enumerate().filter(|(place, word)| *place != 1 || word != "leptos");
    let cli = Cli::parse_from(arguments.map(|(_, word)| word));
    logger::setup(cli.opts().map_or(0, |options| options.verbose), &cli.log);
    tokio::runtime::Runtime::new()?.block_on(run(cli))
}
