// The API key: asked for when the service demands one, kept until this tab is closed.

const STORE = "hush-api-key";
const at = (id) => document.getElementById(id);

/** The header that brings the key, where there is one. */
export function keyHeaders() {
  const key = sessionStorage.getItem(STORE);
  return key ? { "X-API-Key": key } : {};
}

/** Shows the field when an answer says that a (better) key is needed. */
export function noteStatus(status) {
  if (status !== 401 && status !== 403) return;
  sessionStorage.removeItem(STORE);
  at("key-form").hidden = false;
  at("key").focus();
}

/** Takes the key that was typed; header values cannot hold what is no key anyway. */
export function takeKey() {
  sessionStorage.setItem(STORE, at("key").value.replace(/[^\x21-\x7e]/g, ""));
  at("key").value = "";
  at("key-form").hidden = true;
}
