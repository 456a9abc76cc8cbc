"use strict";
// A file put into a question, for both pages that ask runs.

// What is asked by a name: letters and up to two short endings, as the run's type wants it.
function plainName(name) {
  const parts = name.split(".");
  const endings = [];
  while (parts.length > 1 && endings.length < 2 && /^[A-Za-z0-9]{1,8}$/.test(parts.at(-1))) {
    endings.unshift(parts.pop());
  }
  const stem = parts.join("_").replace(/[^A-Za-z0-9_-]/g, "_").slice(0, 60) || "file";
  return [stem, ...endings].join(".");
}

function withFile(example, file) {
  return new Promise((done, failed) => {
    const reader = new FileReader();
    reader.onerror = () => failed(reader.error);
    reader.onload = () => {
      const question = { ...example };
      for (const name of Object.keys(question)) {
        if (name.endsWith("_base64")) question[name] = String(reader.result).split(",")[1] || "";
        if (name === "file_name") question[name] = plainName(file.name);
      }
      done(JSON.stringify(question, null, 1));
    };
    reader.readAsDataURL(file);
  });
}
