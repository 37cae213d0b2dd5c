//! Compiled code becomes a component that can run: the one place of this crate that needs `unsafe`, because machine
//! code is trusted as it is. Only code whose seal was checked comes here, see [`super::cache`].

use wasmtime::{Engine, component::Component};

use super::cache::Sealed;

/// Maps sealed code into memory.
#[expect(unsafe_code, reason = "wasmtime cannot check machine code; the seal was made and checked by this engine")]
pub(super) fn map(engine: &Engine, code: &Sealed) -> wasmtime::Result<Component> {
    #[cfg(target_os = "linux")]
    {
        use std::os::fd::AsRawFd;
        // The file that was checked, whatever its name stands for by now: pages of it that nobody uses cost no memory.
        let open = format!("/proc/self/fd/{}", code.file.as_raw_fd());
        // SAFETY: the content was sealed by this engine, and sealed files are replaced, never written to.
        if let Ok(component) = unsafe { Component::deserialize_file(engine, open) } {
            return Ok(component);
        }
        // Folders from which nothing may be executed refuse the mapping; a copy in memory does as well.
    }
    // SAFETY: as above; these are the very bytes that were checked.
    unsafe { Component::deserialize(engine, &code.bytes) }
}
