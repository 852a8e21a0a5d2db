// Asks the browser for a passkey and puts what the device signed into the form.
"use strict";
const form = document.getElementById("passkey");
const bytes = (text) => Uint8Array.from(atob(text.replace(/-/g, "+").replace(/_/g, "/")), (c) => c.charCodeAt(0));
const text = (buffer) =>
  btoa(String.fromCharCode(...new Uint8Array(buffer))).replace(/\+/g, "-").replace(/\//g, "_").replace(/=+$/, "");
if (form && window.PublicKeyCredential) {
  form.hidden = false;
  form.addEventListener("submit", async (event) => {
    event.preventDefault();
    try {
      const publicKey = {
        challenge: bytes(form.dataset.challenge),
        rpId: location.hostname,
        userVerification: "required",
        timeout: 120000,
      };
      const used = await navigator.credentials.get({ publicKey });
      form.elements.credential.value = text(used.rawId);
      form.elements.client_data.value = text(used.response.clientDataJSON);
      form.elements.authenticator_data.value = text(used.response.authenticatorData);
      form.elements.signature.value = text(used.response.signature);
      form.submit();
    } catch {
      document.getElementById("no-passkey").hidden = false;
    }
  });
}
