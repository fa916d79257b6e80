//! What npm and pip fetch. Both are left alone while they are newer than the list they come from.

use std::{
    fs, io,
    path::{Path, PathBuf},
};

use crate::run::{Result, Runner};

/// The packages of the Node.js suites, and those of the chat page.
pub(crate) const NODE_DIRECTORIES: [&str; 2] = ["e2e", PAGE];

/// The chat example's page.
pub(crate) const PAGE: &str = "examples/chat/page";

/// `npm ci` in `directory`, unless its packages are there and as new as the lock file.
pub(crate) fn install_node(runner: &Runner, directory: &str) -> Result {
    let path = runner.path(directory);
    // npm writes this one last.
    if is_newer(&path.join("node_modules/.package-lock.json"), &path.join("package-lock.json"))? {
        println!("{directory}/node_modules is up to date");
        return Ok(());
    }
    runner.run(runner.command("npm", directory).arg("ci"))
}

/// The Python of the virtual environment in e2e/.venv.
pub(crate) fn python(runner: &Runner) -> PathBuf {
    runner.path("e2e/.venv/bin/python")
}

/// Builds e2e/.venv, unless it was built from the requirements as they are now.
pub(crate) fn install_python(runner: &Runner) -> Result {
    let requirements = fs::read(runner.path("e2e/python/requirements.txt"))?;
    // A copy of what is installed, written once it is.
    let installed = runner.path("e2e/.venv/requirements.txt");
    if fs::read(&installed).is_ok_and(|installed| installed == requirements) {
        println!("e2e/.venv is up to date");
        return Ok(());
    }
    runner.run(runner.command("python3", "e2e").args(["-m", "venv", "--clear", ".venv"]))?;
    let mut pip = runner.command(python(runner), "e2e");
    runner.run(pip.args(["-m", "pip", "install", "--quiet", "-r", "python/requirements.txt"]))?;
    fs::write(installed, requirements)?;
    Ok(())
}

/// Whether `file` is there and not older than `source`.
fn is_newer(file: &Path, source: &Path) -> io::Result<bool> {
    let Ok(file) = fs::metadata(file) else { return Ok(false) };
    Ok(file.modified()? >= fs::metadata(source)?.modified()?)
}
