//! An origin without a script: every request comes to the story, which answers it byte by byte and
//! when it wants. What the story holds back, the origin holds back.

use std::io::{BufRead, BufReader, Read, Write};
use std::net::{Shutdown, TcpListener, TcpStream};
use std::sync::mpsc::{Receiver, Sender, TryRecvError, channel};
use std::sync::{Arc, Mutex};
use std::time::Duration;

use crate::support::PATIENCE;

/// A running origin.
pub(crate) struct Stage {
    address: String,
    scenes: Mutex<Receiver<Scene>>,
}

/// One request at the origin, not answered yet.
pub(crate) struct Scene {
    /// Method and target.
    pub(crate) what: String,
    fields: Vec<(String, String)>,
    stream: TcpStream,
    again: Option<Sender<()>>,
}

/// What answers some requests without the story: gets method and target.
type Routine = Arc<dyn Fn(&str) -> Option<String> + Send + Sync>;

/// A whole message: status, field lines, a body with its length.
pub(crate) fn message(status: u16, lines: &[&str], body: &str) -> String {
    let length = format!("Content-Length: {}", body.len());
    let length = (!matches!(status, 204 | 304)).then_some(length);
    let head: Vec<&str> = lines.iter().copied().chain(length.as_deref()).collect();
    format!("{}{body}", head_of(status, &head))
}

/// A head alone.
pub(crate) fn head_of(status: u16, lines: &[&str]) -> String {
    let lines: String = lines.iter().flat_map(|line| [*line, "\r\n"]).collect();
    format!("HTTP/1.1 {status} Staged\r\n{lines}\r\n")
}

/// Bytes as one chunk of a chunked body.
pub(crate) fn chunk(bytes: &[u8]) -> Vec<u8> {
    [format!("{:x}\r\n", bytes.len()).as_bytes(), bytes, b"\r\n"].concat()
}

impl Stage {
    /// Every request comes to the story.
    pub(crate) fn start() -> Self {
        Self::with(|_| None)
    }

    /// What `routine` has an answer for does not come to the story.
    pub(crate) fn with(routine: impl Fn(&str) -> Option<String> + Send + Sync + 'static) -> Self {
        let listener = TcpListener::bind("127.0.0.1:0").expect("a free port");
        let address = listener.local_addr().expect("an address").to_string();
        let (arrive, scenes) = channel();
        let routine: Routine = Arc::new(routine);
        std::thread::spawn(move || {
            for stream in listener.incoming().map_while(Result::ok) {
                let (arrive, routine) = (arrive.clone(), Arc::clone(&routine));
                std::thread::spawn(move || play(stream, &arrive, &routine));
            }
        });
        Self { address, scenes: Mutex::new(scenes) }
    }

    pub(crate) fn address(&self) -> &str {
        &self.address
    }

    /// The next request, whatever it is.
    #[track_caller]
    pub(crate) fn next(&self) -> Scene {
        let scenes = self.scenes.lock().expect("no story died here");
        scenes.recv_timeout(PATIENCE).expect("no request reached the origin")
    }

    /// The next request whenever it comes, for who answers all of them.
    pub(crate) fn next_if_any(&self) -> Option<Scene> {
        self.scenes.lock().expect("no story died here").recv().ok()
    }

    /// The next request, which must be this one.
    #[track_caller]
    pub(crate) fn expects(&self, what: &str) -> Scene {
        let scene = self.next();
        assert_eq!(scene.what, what, "another request came");
        scene
    }

    /// So many requests, all of them unanswered at once.
    #[track_caller]
    pub(crate) fn together(&self, count: usize) -> Vec<Scene> {
        (0..count).map(|_| self.next()).collect()
    }

    /// Closes the connection of one request, if one comes soon.
    pub(crate) fn breaks_one(&self) {
        let scenes = self.scenes.lock().expect("no story died here");
        drop(scenes.recv_timeout(Duration::from_millis(50)));
    }

    /// Nothing has come that the story has not seen.
    #[track_caller]
    pub(crate) fn was_asked_no_more(&self) {
        match self.scenes.lock().expect("no story died here").try_recv() {
            Ok(scene) => panic!("the origin was asked {} once more", scene.what),
            Err(TryRecvError::Empty | TryRecvError::Disconnected) => {}
        }
    }
}

impl Scene {
    /// The values of a field of the request.
    pub(crate) fn field(&self, name: &str) -> Option<&str> {
        self.fields.iter().find(|(field, _)| field == name).map(|(_, value)| &**value)
    }

    /// Sends a part of the answer.
    #[track_caller]
    pub(crate) fn says(&mut self, part: impl AsRef<[u8]>) -> &mut Self {
        self.stream.write_all(part.as_ref()).expect("the proxy takes the answer");
        self
    }

    /// Sends a part, unless the proxy has gone or takes nothing for a while.
    pub(crate) fn tries(&mut self, part: &[u8]) -> std::io::Result<()> {
        self.stream.write_all(part)
    }

    /// Sends the rest of the answer and goes on with the connection.
    #[track_caller]
    pub(crate) fn answers(mut self, rest: impl AsRef<[u8]>) {
        self.says(rest);
        self.ends();
    }

    /// All is said; the connection may be used again.
    pub(crate) fn ends(mut self) {
        // The other thread is gone only when the connection is.
        self.again.take().map(|again| again.send(()).ok());
    }

    /// Breaks the connection with a reset, where [`Scene::hangs_up`] ends it in order.
    pub(crate) fn resets(mut self) {
        let linger = socket2::SockRef::from(&self.stream).set_linger(Some(Duration::ZERO));
        linger.expect("a socket that is still open");
        // Without the orderly end of both directions, the last handle's closing resets.
        self.again = None;
    }

    /// Closes the connection where it stands.
    pub(crate) fn hangs_up(self) {
        drop(self);
    }
}

impl Drop for Scene {
    fn drop(&mut self) {
        if self.again.is_some() {
            // Not connected any more is what is wanted.
            self.stream.shutdown(Shutdown::Both).ok();
        }
    }
}

fn play(stream: TcpStream, arrive: &Sender<Scene>, routine: &Routine) {
    stream.set_nodelay(true).ok();
    let Ok(writer) = stream.try_clone() else { return };
    let mut reader = BufReader::new(stream);
    while let Some((what, fields)) = read_request(&mut reader) {
        if let Some(answer) = routine(&what) {
            if (&writer).write_all(answer.as_bytes()).is_err() {
                return;
            }
            continue;
        }
        let Ok(stream) = writer.try_clone() else { return };
        let (again, goes_on) = channel();
        let scene = Scene { what, fields, stream, again: Some(again) };
        if arrive.send(scene).is_err() || goes_on.recv().is_err() {
            return;
        }
    }
}

type Request = (String, Vec<(String, String)>);

fn read_request(reader: &mut BufReader<TcpStream>) -> Option<Request> {
    let first = read_line(reader)?;
    let (what, _) = first.rsplit_once(' ')?;
    let mut fields = Vec::new();
    loop {
        let line = read_line(reader)?;
        let Some((name, value)) = line.split_once(':') else { break };
        fields.push((name.to_lowercase(), value.trim().to_owned()));
    }
    let length = fields.iter().find(|(name, _)| name == "content-length");
    let length = length.and_then(|(_, value)| value.parse().ok()).unwrap_or(0);
    reader.read_exact(&mut vec![0; length]).ok()?;
    Some((what.to_owned(), fields))
}

fn read_line(reader: &mut BufReader<TcpStream>) -> Option<String> {
    let mut line = String::new();
    reader.read_line(&mut line).ok().filter(|count| *count > 0)?;
    Some(line.trim_end().to_owned())
}
