//! A real PostgreSQL for tests: one cluster per test binary, made at the first call, gone when the test
//! process is. Addresses of empty databases come out; a PostgreSQL that runs anyway is never touched.

use std::io::{BufRead, BufReader, Read};
use std::net::TcpListener;
use std::os::unix::process::CommandExt;
use std::path::{Path, PathBuf};
use std::process::{Child, Command, Stdio};
use std::sync::OnceLock;
use std::sync::atomic::{AtomicU64, Ordering};

/// A free port may be taken by another program before the server has it.
const ATTEMPTS: usize = 3;

/// The cluster's whole life: made, started, stopped, removed. It is a process of its own, because a test process
/// that is killed cleans up nothing. It holds the other end of a pipe: when the test process ends, however it
/// ends, `cat` ends. Signals are ignored, so that Ctrl-C stops the tests and not who cleans up after them.
///
/// Arguments: the folder of the programs, settings of the server, a number of free ports. Says `ready PORT`, or why not.
const KEEPER: &str = r#"
trap '' HUP INT TERM PIPE
exec 2>&1
programs=$1 settings=$2; shift 2
folder=$(mktemp -d "${TMPDIR:-/tmp}/scrip-postgres.XXXXXX") && cd "$folder" || exit
# PostgreSQL refuses to run as root. runuser is in a folder that not every root has in PATH.
if [ "$(id -u)" = 0 ]; then
    PATH=$PATH:/usr/sbin:/sbin
    chown postgres "$folder"
    as_postgres() { runuser -u postgres -- "$@"; }
else
    as_postgres() { "$@"; }
fi
stop() { as_postgres "$programs/pg_ctl" -D "$folder/data" -m immediate stop; }
start() {
    as_postgres "$programs/initdb" -D "$folder/data" -A trust -U postgres -E UTF8 --locale=C \
        --no-sync --no-instructions || return
    for port in "$@"; do
        as_postgres "$programs/pg_ctl" -D "$folder/data" -l "$folder/server.log" -w -t 20 -o "-c port=$port \
            -c listen_addresses=127.0.0.1 -c unix_socket_directories= -c max_connections=200 $settings" start && return
        stop
    done
    return 1
}
if start "$@" > start.log 2>&1; then
    echo "ready $port"
    cat > /dev/null
    stop > /dev/null 2>&1
else
    cat start.log server.log 2> /dev/null | tail -n 30
fi
cd / && rm -rf "$folder"
"#;

/// The tests' settings: none of them cuts the power, and several of their servers run at once.
const IN_TESTS: [&str; 3] = ["fsync=off", "full_page_writes=off", "shared_buffers=32MB"];

/// Or why there is none: every test says so then, and none tries again.
static CLUSTER: OnceLock<Result<Cluster, String>> = OnceLock::new();

/// A server of its own, as long as this value and this process live.
pub struct Cluster {
    programs: PathBuf,
    port: u16,
    /// Its standard input is the pipe: it stays open as long as this process runs.
    _keeper: Child,
}

/// Makes an empty database and returns its address. The first call starts the server, in about two seconds.
///
/// # Panics
/// Where PostgreSQL is not installed or does not start.
pub fn new_database() -> String {
    let cluster = CLUSTER.get_or_init(|| Cluster::start(&IN_TESTS)).as_ref();
    cluster.unwrap_or_else(|problem| panic!("{problem}")).new_database()
}

/// Runs a file of SQL by psql, with variables for it.
///
/// # Panics
/// Where psql is not there, or the file does not run to its end.
pub fn run_file(url: &str, file: &Path, variables: &[(&str, &str)]) {
    let programs = find_programs().unwrap_or_else(|| panic!("PostgreSQL is not installed"));
    let mut psql = command(&programs.join("psql"));
    psql.args(["--no-psqlrc", "--set=ON_ERROR_STOP=1", "--dbname", url, "--file"]).arg(file);
    psql.args(variables.iter().map(|(name, value)| format!("--set={name}={value}")));
    let done = psql.output().unwrap_or_else(|error| panic!("psql cannot be run: {error}"));
    assert!(done.status.success(), "{}: {}", file.display(), String::from_utf8_lossy(&done.stderr));
}

impl Cluster {
    /// Starts a server with settings that are not the usual ones, each as `name=value`.
    ///
    /// # Errors
    /// Why it does not start, for people.
    pub fn start(settings: &[&str]) -> Result<Self, String> {
        let programs = find_programs()
            .ok_or("PostgreSQL's server is not installed. Run `scripts/setup.sh test`, which installs it.")?;
        let ports = free_ports().map_err(|error| format!("no free port: {error}"))?;
        let mut keeper = command(Path::new("sh"))
            .args(["-c", KEEPER, "keeper"])
            .arg(&programs)
            .arg(settings.iter().map(|setting| format!("-c {setting} ")).collect::<String>())
            .args(ports.map(|port| port.to_string()))
            .stdin(Stdio::piped())
            .stdout(Stdio::piped())
            // Ctrl-C goes to the whole group of the tests.
            .process_group(0)
            .spawn()
            .map_err(|error| format!("sh cannot be run: {error}"))?;
        let mut said = keeper.stdout.take().map(BufReader::new).ok_or("sh has no output")?;
        let mut line = String::new();
        said.read_line(&mut line).map_err(|error| format!("sh says nothing: {error}"))?;
        let Some(port) = line.strip_prefix("ready ").and_then(|port| port.trim().parse().ok()) else {
            // It removes its folder and ends by itself.
            let _ = said.read_to_string(&mut line);
            let _ = keeper.wait();
            return Err(format!("PostgreSQL of {} does not start:\n{line}", programs.display()));
        };
        Ok(Self { programs, port, _keeper: keeper })
    }

    /// Makes an empty database and returns its address.
    ///
    /// # Panics
    /// Where the server does not make it.
    pub fn new_database(&self) -> String {
        static NEXT: AtomicU64 = AtomicU64::new(1);
        let name = format!("test_{}", NEXT.fetch_add(1, Ordering::Relaxed));
        let port = self.port;
        let made = self
            .program("createdb")
            .args(["-h", "127.0.0.1", "-p", &port.to_string(), "-U", "postgres", &name])
            .output()
            .unwrap_or_else(|error| panic!("createdb cannot be run: {error}"));
        assert!(made.status.success(), "no database could be made: {}", String::from_utf8_lossy(&made.stderr));
        format!("postgres://postgres@127.0.0.1:{port}/{name}")
    }

    /// One of the programs that come with the server.
    pub fn program(&self, name: &str) -> Command {
        command(&self.programs.join(name))
    }
}

/// A program that knows nothing of the settings with which a developer reaches other servers, and that says
/// everything in English.
fn command(program: &Path) -> Command {
    let mut command = Command::new(program);
    for (name, _) in std::env::vars_os().filter(|(name, _)| name.as_encoded_bytes().starts_with(b"PG")) {
        command.env_remove(name);
    }
    command.env("LC_ALL", "C");
    command
}

/// Ports that nobody listens on. They are held together, so that they differ.
fn free_ports() -> std::io::Result<[u16; ATTEMPTS]> {
    let mut ports = [0; ATTEMPTS];
    let mut held = Vec::new();
    for port in &mut ports {
        let listener = TcpListener::bind(("127.0.0.1", 0))?;
        *port = listener.local_addr()?.port();
        held.push(listener);
    }
    Ok(ports)
}

/// The folder of the server's programs: what PATH leads to, or the newest of where Debian and Homebrew, which
/// leave it out of PATH, put them. `find_postgres` in `scripts/setup.sh` looks in the same places.
fn find_programs() -> Option<PathBuf> {
    let path = std::env::var_os("PATH").unwrap_or_default();
    // A link in PATH stands alone; the other programs are where it points to.
    let in_path = std::env::split_paths(&path).find_map(|folder| folder.join("initdb").canonicalize().ok());
    in_path.and_then(|initdb| initdb.parent().map(Path::to_path_buf)).or_else(|| {
        newest_in("/usr/lib/postgresql", "")
            .or_else(|| newest_in("/opt/homebrew/opt", "postgresql"))
            .or_else(|| newest_in("/usr/local/opt", "postgresql"))
    })
}

/// Of the folders `PARENT/PREFIX...` that hold a server, the one with the highest version in its name.
fn newest_in(parent: &str, prefix: &str) -> Option<PathBuf> {
    let version = |folder: &Path| {
        let name = folder.file_name()?.to_str()?.strip_prefix(prefix)?.trim_start_matches('@');
        // Homebrew's bare `postgresql` is a link to one of the others.
        Some(name.split('.').map(|part| part.parse().unwrap_or(0)).collect::<Vec<u32>>())
    };
    let folders = std::fs::read_dir(parent).ok()?.filter_map(|entry| Some(entry.ok()?.path()));
    let servers = folders.filter(|folder| folder.join("bin/initdb").exists());
    let newest = servers.filter_map(|folder| Some((version(&folder)?, folder))).max()?;
    Some(newest.1.join("bin"))
}
