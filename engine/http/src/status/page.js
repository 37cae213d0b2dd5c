// Asks for the page again every two seconds while someone looks at it, and takes over its main part.
const PAUSE = 2000;
async function refresh() {
  if (!document.hidden) {
    try {
      const answer = await fetch("/", { cache: "no-store" });
      if (!answer.ok) throw new Error(answer.status);
      const page = new DOMParser().parseFromString(await answer.text(), "text/html");
      document.querySelector("main").replaceWith(document.adoptNode(page.querySelector("main")));
    } catch {
      const state = document.querySelector("#state");
      state.textContent = "does not answer; what you see is old";
      state.className = "stale";
    }
  }
  setTimeout(refresh, PAUSE);
}
setTimeout(refresh, PAUSE);
