// Tells the reader when a part of the page could not be updated, such as after the session has ended.
function show(isProblem) {
  document.getElementById("problem").hidden = !isProblem;
}
for (const name of ["htmx:responseError", "htmx:sendError", "htmx:timeout"]) {
  document.addEventListener(name, () => show(true));
}
document.addEventListener("htmx:afterSwap", () => show(false));
