//! The chain of history by command.

use super::{CommandError, account_count, confirm};
use clap::Subcommand;
use scrip::domain::credits::group_digits;
use scrip::server::config::Config;
use scrip::server::start;

/// Commands for the key and the chain.
#[derive(Subcommand)]
pub enum ChainCommand {
    /// Begin a new chain, where the key is lost or the history was cleared up. What stands in the history now is
    /// taken for true, so run `scrip reconcile` before if you can. Stop all programs on this database first.
    Renew {
        /// Do not ask.
        #[arg(long)]
        yes: bool,
    },
}

/// Does what one command asks. It opens the database by itself, since without the right key nothing else does.
pub async fn run(command: ChainCommand, config: &Config) -> Result<(), CommandError> {
    match command {
        ChainCommand::Renew { yes } => {
            confirm(
                "The whole history as it stands now will be taken for true, and chained anew with the key in the file \
                 of SCRIP_CHAIN_KEY_FILE.",
                yes,
            )?;
            let renewed = start::renew_chain(config).await?;
            println!(
                "A new chain has begun over {}; rows of history: {}. The key is in {}; keep a copy of it elsewhere.",
                account_count(usize::try_from(renewed.accounts).unwrap_or_default()),
                group_digits(renewed.rows),
                config.chain_key_file.display()
            );
            Ok(())
        }
    }
}
