//! The file with the server's own key, and the system's randomness that makes it.
//!
//! A driver: this file reads and writes the disk. Law: the key is never readable by anybody else,
//! not even between creation and `chmod`; a key that is there is never replaced, and of two
//! processes that start at once both end up with the same. Limit: Unix.

use super::jwt::OwnKey;
use base64::Engine;
use base64::engine::general_purpose::URL_SAFE_NO_PAD;
use std::fs::{self, DirBuilder, File, OpenOptions};
use std::io::{self, ErrorKind, Read, Write};
use std::os::unix::fs::{DirBuilderExt, OpenOptionsExt, PermissionsExt};
use std::path::Path;

const NAME: &str = "token.key";
/// 32 bytes as base64url (RFC 4648 §5), and the end of the line.
const LENGTH: usize = 43 + 1;

/// `N` bytes from the operating system, fit for keys.
///
/// # Errors
/// When `/dev/urandom` cannot be read.
pub fn random_bytes<const N: usize>() -> io::Result<[u8; N]> {
    let mut bytes = [0; N];
    File::open("/dev/urandom")?.read_exact(&mut bytes)?;
    Ok(bytes)
}

impl OwnKey {
    /// A key that lives as long as the process.
    ///
    /// # Errors
    /// When the system has no randomness.
    pub fn random() -> io::Result<Self> {
        random_bytes().map(Self::new)
    }

    /// The key in `dir/token.key`; made on the first start, together with `dir`.
    ///
    /// # Errors
    /// When the file cannot be read or made, others can read it, or it holds no key. The text says
    /// what to type.
    pub fn load_or_create(dir: &Path) -> io::Result<Self> {
        let path = dir.join(NAME);
        match File::open(&path) {
            Ok(file) => {
                let key = load(file, &path)?;
                // Whoever made it may have died before its name was on the disk.
                sync(dir, &path)?;
                Ok(key)
            }
            Err(error) if error.kind() == ErrorKind::NotFound => {
                create(dir, &path)?;
                load(File::open(&path)?, &path)
            }
            Err(error) => Err(named(&path, &error)),
        }
    }
}

fn named(path: &Path, error: &io::Error) -> io::Error {
    io::Error::new(error.kind(), format!("{}: {error}", path.display()))
}

fn load(file: File, path: &Path) -> io::Result<OwnKey> {
    let shown = path.display();
    let mode = file.metadata().map_err(|error| named(path, &error))?.permissions().mode();
    if mode & 0o077 != 0 {
        let text = format!("others can read the key; type: chmod 600 '{shown}'");
        return Err(io::Error::new(ErrorKind::PermissionDenied, text));
    }
    let mut text = Vec::with_capacity(LENGTH + 1);
    file.take(LENGTH as u64 + 1).read_to_end(&mut text).map_err(|error| named(path, &error))?;
    let secret = URL_SAFE_NO_PAD.decode(text.trim_ascii_end()).ok();
    secret.and_then(|secret| secret.try_into().ok()).map(OwnKey::new).ok_or_else(|| {
        let text = format!(
            "this is no key of 43 base64url characters; put back a copy, or let a new one be made, \
             which ends every token, and type: rm '{shown}'"
        );
        io::Error::new(ErrorKind::InvalidData, text)
    })
}

/// Makes the file under another name and gives it its own when it is whole and on the disk.
fn create(dir: &Path, path: &Path) -> io::Result<()> {
    let whole = |error: &io::Error| named(path, error);
    DirBuilder::new()
        .recursive(true)
        .mode(0o700)
        .create(dir)
        .map_err(|error| named(dir, &error))?;
    let secret: [u8; 32] = random_bytes()?;
    let draft = path.with_extension(format!("{:016x}", u64::from_le_bytes(random_bytes()?)));
    let written = write_draft(&draft, &secret).and_then(|()| publish(&draft, path));
    // After a rename there is no draft; after a failure there must be none.
    let _ = fs::remove_file(&draft);
    written.map_err(|error| whole(&error))?;
    sync(dir, path)
}

/// Brings the names in `dir` to the disk.
fn sync(dir: &Path, path: &Path) -> io::Result<()> {
    File::open(dir).and_then(|dir| dir.sync_all()).map_err(|error| named(path, &error))
}

fn write_draft(draft: &Path, secret: &[u8; 32]) -> io::Result<()> {
    let mut file = OpenOptions::new().write(true).create_new(true).mode(0o600).open(draft)?;
    file.write_all(format!("{}\n", URL_SAFE_NO_PAD.encode(secret)).as_bytes())?;
    file.sync_all()
}

/// A hard link is a rename that fails when the name is taken: another process was first, and its
/// key is the key. Where the file system has no hard links, a rename must do.
fn publish(draft: &Path, path: &Path) -> io::Result<()> {
    match fs::hard_link(draft, path) {
        Err(error) if error.kind() == ErrorKind::AlreadyExists => Ok(()),
        Err(_) => fs::rename(draft, path),
        Ok(()) => Ok(()),
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use std::path::PathBuf;

    /// A folder of its own for each test, gone when the test is.
    struct Folder(PathBuf);

    impl Folder {
        fn new() -> Self {
            let name = u64::from_le_bytes(random_bytes().unwrap());
            Self(std::env::temp_dir().join(format!("stentor-key-{name:016x}")))
        }

        fn key(&self) -> PathBuf {
            self.0.join(NAME)
        }
    }

    impl Drop for Folder {
        fn drop(&mut self) {
            let _ = fs::remove_dir_all(&self.0);
        }
    }

    #[test]
    fn a_key_is_made_once_private_and_kept() {
        let folder = Folder::new();
        let made = OwnKey::load_or_create(&folder.0.join("below")).unwrap();
        let again = OwnKey::load_or_create(&folder.0.join("below")).unwrap();
        assert_eq!(made.secret(), again.secret());
        let path = folder.0.join("below").join(NAME);
        assert_eq!(fs::metadata(&path).unwrap().permissions().mode() & 0o777, 0o600);
        assert_eq!(fs::read_dir(path.parent().unwrap()).unwrap().count(), 1, "no draft is left");
        assert_ne!(made.secret(), OwnKey::random().unwrap().secret());
        assert_eq!(format!("{made:?}"), "OwnKey(…)");
    }

    #[test]
    fn whoever_comes_second_takes_the_key_of_the_first() {
        let folder = Folder::new();
        let first = OwnKey::load_or_create(&folder.0).unwrap();
        create(&folder.0, &folder.key()).unwrap();
        let second = OwnKey::load_or_create(&folder.0).unwrap();
        assert_eq!(first.secret(), second.secret());
        assert_eq!(fs::read_dir(&folder.0).unwrap().count(), 1);
    }

    #[test]
    fn a_key_that_others_can_read_is_refused_and_the_text_says_what_to_type() {
        let folder = Folder::new();
        OwnKey::load_or_create(&folder.0).unwrap();
        for mode in [0o644, 0o640, 0o604, 0o660] {
            fs::set_permissions(folder.key(), fs::Permissions::from_mode(mode)).unwrap();
            let error = OwnKey::load_or_create(&folder.0).unwrap_err();
            assert!(error.to_string().contains("type: chmod 600 '"), "{error}");
        }
    }

    #[test]
    fn a_file_that_is_no_key_is_refused_and_left_alone() {
        let folder = Folder::new();
        OwnKey::load_or_create(&folder.0).unwrap();
        let good = fs::read_to_string(folder.key()).unwrap();
        for text in ["", "\n", "secret", &good[..42], &format!("A{good}"), &format!("{good}{good}")]
        {
            fs::write(folder.key(), text).unwrap();
            let error = OwnKey::load_or_create(&folder.0).unwrap_err();
            assert!(error.to_string().contains("type: rm '"), "{text:?}: {error}");
            assert_eq!(fs::read_to_string(folder.key()).unwrap(), text);
        }
        fs::write(folder.key(), good.trim_end()).unwrap();
        assert!(
            OwnKey::load_or_create(&folder.0).is_ok(),
            "an editor may drop the end of the line"
        );
    }
}
