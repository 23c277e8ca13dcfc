(() => {
  const form = document.getElementById("passkey");
  const problem = document.getElementById("passkey-problem");
  const toBytes = (text) =>
    Uint8Array.from(atob(text.replaceAll("-", "+").replaceAll("_", "/")), (character) => character.charCodeAt(0));
  const toText = (buffer) =>
    btoa(String.fromCharCode(...new Uint8Array(buffer))).replaceAll("+", "-").replaceAll("/", "_").replaceAll("=", "");
  const withBytes = (listed) => (listed ?? []).map((each) => ({ ...each, id: toBytes(each.id) }));

  const asked = () => {
    const options = JSON.parse(form.dataset.options);
    options.challenge = toBytes(options.challenge);
    if (form.dataset.ceremony === "create") {
      options.user.id = toBytes(options.user.id);
      options.excludeCredentials = withBytes(options.excludeCredentials);
      return navigator.credentials.create({ publicKey: options });
    }
    options.allowCredentials = withBytes(options.allowCredentials);
    return navigator.credentials.get({ publicKey: options });
  };

  const written = (credential) => {
    const response = {};
    for (const name of ["clientDataJSON", "attestationObject", "authenticatorData", "signature", "userHandle"]) {
      if (credential.response[name]) response[name] = toText(credential.response[name]);
    }
    const id = toText(credential.rawId);
    return JSON.stringify({ id, rawId: id, type: credential.type, response });
  };

  let asking = false;
  const ask = async () => {
    if (asking) return;
    asking = true;
    problem.hidden = true;
    try {
      form.elements.credential.value = written(await asked());
      form.submit();
    } catch (error) {
      problem.textContent =
        error.name === "InvalidStateError"
          ? "This device is registered already."
          : "The passkey was not used. Try again, or go back and choose another way.";
      problem.hidden = false;
      asking = false;
    }
  };

  form.addEventListener("submit", (event) => {
    event.preventDefault();
    ask();
  });
  if (window.PublicKeyCredential) ask();
})();
