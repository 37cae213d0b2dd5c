//! The sample workflows: in the repository beside this file, in the data folder of a demo for people to edit.

use std::{fs, io, net::SocketAddr, path::Path};

use crate::failure::{OrFail as _, Result, environment};

/// The sample workflows, as they lie in the repository.
pub(super) const WORKFLOWS: [(&str, &str); 6] = [
    ("vip-coupon.yaml", include_str!("workflows/vip-coupon.yaml")),
    ("fraud-hold.yaml", include_str!("workflows/fraud-hold.yaml")),
    ("unpaid.yaml", include_str!("workflows/unpaid.yaml")),
    ("restock.yaml", include_str!("workflows/restock.yaml")),
    ("warehouse.yaml", include_str!("workflows/warehouse.yaml")),
    ("bookkeeping.yaml", include_str!("workflows/bookkeeping.yaml")),
];
/// Where the made-up services are called; what follows is their port.
const SERVICES: &str = "http://127.0.0.1:";

/// Writes them, calling the services where they are now. What somebody edited in a kept folder stays edited.
pub(super) fn write(folder: &Path, services: SocketAddr) -> Result<()> {
    fs::create_dir_all(folder).or_environment(format_args!("cannot make {}", folder.display()))?;
    for (name, sample) in WORKFLOWS {
        let path = folder.join(name);
        let text = match fs::read_to_string(&path) {
            Ok(text) => text,
            Err(error) if error.kind() == io::ErrorKind::NotFound => sample.to_owned(),
            Err(error) => return Err(environment(format!("cannot read {}: {error}", path.display()))),
        };
        fs::write(&path, at(&text, services.port())).or_environment(format_args!("cannot write {}", path.display()))?;
    }
    Ok(())
}

/// The text with the services at this port.
fn at(text: &str, port: u16) -> String {
    let mut parts = text.split(SERVICES);
    let mut moved = parts.next().unwrap_or_default().to_owned();
    for part in parts {
        moved += &format!("{SERVICES}{port}{}", part.trim_start_matches(|c: char| c.is_ascii_digit()));
    }
    moved
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_samples_are_fine_wherever_the_services_listen_and_edits_stay() {
        let folder = tempfile::tempdir().expect("a folder");
        write(folder.path(), "127.0.0.1:45678".parse().expect("an address")).expect("written");
        let reading = crate::workflows::Folder::new(folder.path().to_owned(), crate::plugins::Installed::nothing())
            .read(Some(&crate::assembly::sandbox()));
        let reading = reading.expect("read");
        assert_eq!(reading.findings, []);
        assert_eq!(reading.loaded.len(), WORKFLOWS.len());
        assert!(reading.loaded.iter().all(|one| !one.definition.source.contains(":9090")));

        let path = folder.path().join("warehouse.yaml");
        let edited = fs::read_to_string(&path).expect("there").replace("attempts: 8", "attempts: 9");
        fs::write(&path, edited).expect("edited");
        write(folder.path(), "127.0.0.1:9".parse().expect("an address")).expect("written");
        let text = fs::read_to_string(&path).expect("there");
        assert!(text.contains("attempts: 9") && text.contains("POST http://127.0.0.1:9/warehouse\n"), "{text}");
    }
}
