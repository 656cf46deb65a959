//! The real binary in front of an origin: started with what the story says, stopped by SIGTERM, and
//! a story ends well only if it left with code 0.

use std::fs;
use std::path::{Path, PathBuf};
use std::process::{Command, ExitStatus};
use std::sync::atomic::{AtomicU32, Ordering};

use cistern::admin::tokens::Role;
use cistern::node::tokens;

use crate::support::client::{Answer, Ask, Asked, get};
use crate::support::program::Program;

/// How the binary will be started.
#[derive(Clone)]
pub(crate) struct Setup {
    folder: PathBuf,
    arguments: Vec<String>,
    /// Its settings name the listeners.
    listens: bool,
    environment: Vec<(String, String)>,
}

/// A running cistern.
pub(crate) struct Cistern {
    program: Option<Program>,
    address: String,
    folder: PathBuf,
    /// How to start it again; taken by who will.
    setup: Option<Setup>,
}

/// cistern without any file, in front of `origin` (an address).
pub(crate) fn in_front_of(origin: &str) -> Setup {
    Setup::new(vec!["--origin".to_owned(), format!("http://{origin}")])
}

/// cistern with `rules/examples/<name>` as it stands, but for the address of its origin.
pub(crate) fn example(name: &str, origin: &str) -> Setup {
    let setup = Setup::new(vec!["--config".to_owned(), "cistern.toml".to_owned()]);
    let from = Path::new(env!("CARGO_MANIFEST_DIR")).join("rules/examples").join(name);
    let mut pointed = 0;
    for file in fs::read_dir(&from).unwrap_or_else(|error| panic!("{}: {error}", from.display())) {
        let path = file.expect("a readable folder").path();
        if path.is_file() {
            let text = fs::read_to_string(&path).expect("a readable example");
            pointed += text.matches(EXAMPLE_ORIGIN).count();
            let text = text.replace(EXAMPLE_ORIGIN, origin);
            fs::write(setup.folder.join(path.file_name().expect("a name")), text).expect("a copy");
        }
    }
    assert!(pointed > 0, "{name} names no origin at {EXAMPLE_ORIGIN}");
    setup
}

/// Where the origins of the examples are said to be.
const EXAMPLE_ORIGIN: &str = "127.0.0.1:8000";

impl Setup {
    fn new(arguments: Vec<String>) -> Self {
        static COUNT: AtomicU32 = AtomicU32::new(0);
        let count = COUNT.fetch_add(1, Ordering::Relaxed);
        let name = format!("story-{}-{count}", std::process::id());
        let folder = Path::new(env!("CARGO_TARGET_TMPDIR")).join(name);
        fs::create_dir_all(&folder).expect("a folder for the story");
        Self { folder, arguments, listens: false, environment: Vec::new() }
    }

    /// With these rules, a text of the rules file.
    pub(crate) fn rules(mut self, text: &str) -> Self {
        fs::write(self.folder.join("rules.toml"), text).expect("a rules file");
        self.arguments.extend(["--rules".to_owned(), "rules.toml".to_owned()]);
        self
    }

    /// With this text as `cistern.toml`.
    pub(crate) fn config(self, text: &str) -> Self {
        fs::write(self.folder.join("cistern.toml"), text).expect("a configuration");
        self.argument("--config").argument("cistern.toml")
    }

    /// With a line of `[[listen]]`, or several, as its settings; nothing else listens.
    pub(crate) fn listening(self, settings: &str) -> Self {
        Self { listens: true, ..self.config(settings) }
    }

    /// A folder that ends with the story.
    pub(crate) fn folder(&self) -> &Path {
        &self.folder
    }

    /// With one more word on the command line.
    pub(crate) fn argument(mut self, word: &str) -> Self {
        self.arguments.push(word.to_owned());
        self
    }

    /// Without a word of the command line and what follows it.
    pub(crate) fn without(mut self, word: &str) -> Self {
        let at = self.arguments.iter().position(|one| one == word).expect("the word is there");
        self.arguments.drain(at..at + 2);
        self
    }

    /// With one text of its files in place of another.
    pub(crate) fn changed(self, from: &str, to: &str) -> Self {
        let mut found = 0;
        for file in fs::read_dir(&self.folder).expect("the story's folder") {
            let path = file.expect("a readable folder").path();
            let text = fs::read_to_string(&path).expect("a readable file");
            found += text.matches(from).count();
            fs::write(&path, text.replace(from, to)).expect("a file that can be written");
        }
        assert!(found > 0, "no file of this story says {from}");
        self
    }

    /// Under a profile, `safe` or `rfc`.
    pub(crate) fn profile(self, name: &str) -> Self {
        self.setting("CISTERN_PROFILE", name)
    }

    /// With a variable of the environment.
    pub(crate) fn setting(mut self, name: &str, value: &str) -> Self {
        self.environment.push((name.to_owned(), value.to_owned()));
        self
    }

    /// With a token for its admin calls, which comes back.
    pub(crate) fn token(self, role: Role) -> (Self, String) {
        let path = self.folder.join("tokens.toml");
        let (text, token) = tokens::create("story", role, Vec::new()).expect("randomness");
        tokens::write(&path, &[token]).expect("a file of tokens");
        let named = path.to_str().expect("a plain path").to_owned();
        (self.setting("CISTERN_ADMIN__TOKENS_FILE", &named), text)
    }

    /// Starts it.
    pub(crate) fn start(self) -> Cistern {
        let folder = self.folder.clone();
        let setup = Some(self.clone());
        match self.run() {
            Ok((program, address)) => Cistern { program: Some(program), address, folder, setup },
            Err((status, words)) => panic!("cistern left with {status}: {words}"),
        }
    }

    /// Starts what must not start; how it left and what it said.
    pub(crate) fn refused(self) -> (ExitStatus, String) {
        match self.run() {
            Ok(_) => panic!("it started"),
            Err(end) => end,
        }
    }

    fn run(self) -> Result<(Program, String), (ExitStatus, String)> {
        let mut command = Command::new(env!("CARGO_BIN_EXE_cistern"));
        command
            .arg("run")
            .args(&self.arguments)
            .args(if self.listens { &[][..] } else { &["--listen", "127.0.0.1:0"] })
            .args(["--admin-listen", "127.0.0.1:0"])
            .current_dir(&self.folder)
            .env("CISTERN_DRAIN__DELAY", "0s")
            .env("CISTERN_LOG__EVENTS", self.folder.join("logs/cache.log"))
            .envs(self.environment);
        Program::start("cistern", &mut command, address_of)
    }
}

/// The proxy's address in the line that says what listens.
fn address_of(line: &str) -> Option<String> {
    let mut words = line.split_whitespace();
    (words.next()? == "cistern").then_some(())?;
    words.find(|word| *word == "proxy")?;
    words.next().map(str::to_owned)
}

impl Cistern {
    pub(crate) fn address(&self) -> &str {
        self.addresses()[0]
    }

    /// All that it listens on, in the order of its settings.
    pub(crate) fn addresses(&self) -> Vec<&str> {
        self.address.split(',').collect()
    }

    /// Where its admin calls listen, by its own first line.
    pub(crate) fn admin(&self) -> String {
        let said = self.program.as_ref().expect("it runs").said();
        let mut words = said.split_whitespace().skip_while(|word| *word != "admin");
        words.nth(1).expect("the address behind the word").to_owned()
    }

    /// All that it has said on its streams.
    pub(crate) fn said(&self) -> String {
        self.program.as_ref().expect("it runs").said()
    }

    /// What it has written into its event log up to now.
    pub(crate) fn log_so_far(&self) -> String {
        fs::read_to_string(self.file("logs/cache.log")).unwrap_or_default()
    }

    pub(crate) fn get(&self, target: &str) -> Answer {
        self.send(&get(target))
    }

    pub(crate) fn send(&self, ask: &Ask) -> Answer {
        ask.to(self.address())
    }

    /// Asks and does not wait.
    pub(crate) fn begin(&self, ask: &Ask) -> Asked {
        ask.begin(self.address())
    }

    pub(crate) fn signal(&self, name: &str) {
        if let Some(program) = &self.program {
            program.signal(name);
        }
    }

    /// A file of its folder.
    pub(crate) fn file(&self, name: &str) -> PathBuf {
        self.folder.join(name)
    }

    /// Waits until it says this on one of its streams.
    pub(crate) fn says(&self, text: &str) {
        if let Some(program) = &self.program {
            program.says(text);
        }
    }

    /// Waits until it has left on its own.
    pub(crate) fn ended(mut self) -> ExitStatus {
        self.program.take().expect("it runs").wait()
    }

    /// It stops in the middle of whatever it does. How to start it again, in the same folder.
    pub(crate) fn crashes(mut self) -> Setup {
        let mut program = self.program.take().expect("it runs");
        program.signal("KILL");
        program.wait();
        self.setup.take().expect("nobody took it")
    }

    /// Stops it in order. How to start it again, in the same folder.
    pub(crate) fn leaves(mut self) -> Setup {
        self.stop();
        self.setup.take().expect("nobody took it")
    }

    /// Stops it and gives what it wrote into its event log.
    pub(crate) fn log(mut self) -> String {
        self.stop();
        let file = self.folder.join("logs/cache.log");
        fs::read_to_string(&file).unwrap_or_else(|error| panic!("{}: {error}", file.display()))
    }

    fn stop(&mut self) {
        if let Some(mut program) = self.program.take() {
            program.signal("TERM");
            let status = program.wait();
            assert!(status.success(), "cistern left with {status}: {}", program.said());
        }
    }
}

impl Drop for Cistern {
    fn drop(&mut self) {
        if std::thread::panicking() {
            if let Some(program) = &self.program {
                eprintln!("cistern said:\n{}", program.said());
            }
            return;
        }
        self.stop();
        // What a story that went well leaves behind is of no use to anybody, unless it goes on.
        if self.setup.is_some() {
            fs::remove_dir_all(&self.folder).ok();
        }
    }
}
