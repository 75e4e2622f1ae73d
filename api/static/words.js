// What the page says: one line of status, errors, times.

const at = (id) => document.getElementById(id);

/** What is going on. */
export function say(words) {
  at("status").textContent = words;
}

/** What went wrong; nothing when there are no words. */
export function complain(words) {
  at("error").textContent = words;
  at("error").hidden = !words;
}

/** An event handler in place of the browser's own action; its failures are told to the person. */
export function told(handler) {
  return (event) => {
    event?.preventDefault();
    handler(event).catch((error) => complain(error.message));
  };
}

/** 75 seconds as 1:15. */
export function clock(seconds) {
  return `${Math.floor(seconds / 60)}:${String(Math.floor(seconds % 60)).padStart(2, "0")}`;
}
