(function () {
  "use strict";
  var root = document.documentElement;
  var buttons = document.querySelectorAll("button[data-language]");
  function speak(language) {
    root.lang = language;
    document.title = root.getAttribute("data-title-" + language);
    buttons.forEach(function (button) {
      button.setAttribute("aria-pressed", String(button.dataset.language === language));
    });
  }
  buttons.forEach(function (button) {
    button.addEventListener("click", function () { speak(button.dataset.language); });
  });
  speak(location.hash === "#en" ? "en" : "fr");
})();
