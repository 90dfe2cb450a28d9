"use strict";
// The page of a release: everything shown comes from the JSON beside this script, nothing from the network.
const content = JSON.parse(document.getElementById("content").textContent);
const at = (id) => document.getElementById(id);
const colours = ["#deebf7", "#9ecae1", "#6baed6", "#2171b5", "#08306b"];
const texts = {
  fr: {
    skip: "Aller au contenu", language: "Langue", choose: "Choisir un indicateur", unit: "Qui répond", indicator: "Indicateur",
    statistic: "Statistique", map: "Carte des départements", chart: "France, selon la taille", signs: "Signes",
    mapHelp: "Les flèches du clavier passent d'un département à l'autre. Le tableau donne les mêmes valeurs.",
    values: "Valeurs de la carte", direct: "estimations directes", model: "estimations par modèle",
    methods: { model: "par modèle", synthetic: "par modèle, sans les réponses du département", direct: "valeur directe conservée" },
    modelHelp: "Les estimations par modèle empruntent aux autres départements : moins d'erreur, mais des écarts atténués.",
    hint: "Survolez ou touchez un département pour lire sa valeur.", inset: "Paris et petite couronne", colon: "\u00a0: ",
    chartHelp: "Trait noir : intervalle de confiance à 95\u00a0%.", files: "Fichiers de cette version",
    filesList: { "tables/asco_tables.xlsx": "Tableaux thématiques (Excel)", "tables/fr/asco_cells.csv": "Toutes les cellules (CSV français)",
      "tables/asco_cells.csv": "Toutes les cellules (CSV international)", "tables/asco_cells.parquet": "Toutes les cellules (Parquet)",
      "tables/fr/model_estimates.csv": "Estimations par modèle (CSV français)", "tables/model_estimates.csv": "Estimations par modèle (CSV international)",
      "dictionary.html": "Dictionnaire des données", "report/index.html": "Rapport qualité", "CHANGELOG.md": "Changements d'une version à l'autre",
      "catalog.jsonld": "Notice de catalogue (DCAT-AP)", "sdmx/structure.json": "Structure SDMX" },
    table: "Tableau", filter: "Filtrer les lignes", download: "Télécharger en CSV", suppressed: "Secret statistique", none: "Sans valeur",
    head: ["Niveau", "Territoire", "Taille", "Estimation", "Intervalle à 95\u00a0%", "Précision"],
    rows: (n) => `${n} ligne${n > 1 ? "s" : ""}`, to: "à",
    signsList: [["s", "couvert par le secret statistique"], ["¹", "précision faible"], ["²", "peu fiable : à ne pas commenter"]],
  },
  en: {
    skip: "Skip to content", language: "Language", choose: "Choose an indicator", unit: "Who answers", indicator: "Indicator",
    statistic: "Statistic", map: "Map of the départements", chart: "France, by size", signs: "Signs",
    mapHelp: "The arrow keys move from one département to the next. The table has the same values.",
    values: "Values of the map", direct: "direct estimates", model: "modelled estimates",
    methods: { model: "modelled", synthetic: "modelled, without the département's answers", direct: "direct value kept" },
    modelHelp: "Modelled estimates borrow from the other départements: smaller errors, but differences are smoothed.",
    hint: "Point at or touch a département to read its value.", inset: "Paris and inner suburbs", colon: ": ",
    chartHelp: "Black line: 95% confidence interval.", files: "Files of this version",
    filesList: { "tables/asco_tables.xlsx": "Thematic tables (Excel)", "tables/asco_cells.csv": "All cells (international CSV)",
      "tables/fr/asco_cells.csv": "All cells (French CSV)", "tables/asco_cells.parquet": "All cells (Parquet)",
      "tables/model_estimates.csv": "Modelled estimates (international CSV)", "tables/fr/model_estimates.csv": "Modelled estimates (French CSV)",
      "dictionary.html": "Data dictionary", "report/index.html": "Quality report", "CHANGELOG.md": "Changes from version to version",
      "catalog.jsonld": "Catalogue record (DCAT-AP)", "sdmx/structure.json": "SDMX structure" },
    table: "Table", filter: "Filter the rows", download: "Download as CSV", suppressed: "Suppressed", none: "No value",
    head: ["Level", "Area", "Size", "Estimate", "95% interval", "Precision"],
    rows: (n) => `${n} row${n === 1 ? "" : "s"}`, to: "to",
    signsList: [["s", "suppressed: statistical confidentiality"], ["¹", "low precision"], ["²", "unreliable: not to be commented on"]],
  },
};
const state = { language: "fr", unit: "commune", indicator: "", statistic: "", values: "direct", filter: "", area: "" };
// Enlarged beside the map, since nobody can point at them there: place, scale, and the grid's corner that is moved.
const inset = { codes: ["75", "92", "93", "94"], x: 20, y: 50, scale: 5, left: 604, top: 264, width: 236, height: 250 };
const language = () => (state.language === "fr" ? 0 : 1);
const label = (dimension, code) => (content.labels[dimension][code] || [code, code])[language()];
const isShare = () => state.statistic !== "total";
const indicators = () => Object.keys(content.cells[state.unit]);
const statistics = () => Object.keys(content.cells[state.unit][state.indicator]);
// One cell: geography, area, size, estimate, lower and upper bound, status, flag.
const cells = () => content.cells[state.unit][state.indicator][state.statistic];
// Modelled estimates as cells of départements, with the method behind; none where the statistic is not modelled.
const modelled = () => (content.modelled[state.unit]?.[state.indicator]?.[state.statistic] || [])
  .map(([area, estimate, low, high, method, flag]) => ["departement", area, "total", estimate, low, high, "V", flag, method]);

function number(value) {
  const digits = isShare() ? { minimumFractionDigits: 1, maximumFractionDigits: 1 } : { maximumFractionDigits: 0 };
  const shown = new Intl.NumberFormat(state.language, digits).format(isShare() ? value * 100 : value);
  return isShare() ? `${shown}${state.language === "fr" ? "\u00a0" : ""}%` : shown;
}
function shown(cell) {
  if (cell[6] !== "V") return "s";
  if (cell[3] === null) return "–";
  return number(cell[3]) + ({ low_precision: "\u00a0¹", unreliable: "\u00a0²" }[cell[7]] || "");
}
function interval(cell) {
  return cell[6] === "V" && cell[4] !== null ? `${number(cell[4])} ${texts[state.language].to} ${number(cell[5])}` : "";
}
function reading(cell) {
  const value = cell[6] === "V" ? shown(cell) : texts[state.language].suppressed;
  const between = interval(cell);
  const method = cell[8] ? `, ${texts[state.language].methods[cell[8]]}` : "";
  return `${label("area_code", `${cell[0]}:${cell[1]}`)}${texts[state.language].colon}${value}${between && ` (${between})`}${method}`;
}
function element(name, attributes, ...children) {
  const made = document.createElement(name);
  for (const [key, value] of Object.entries(attributes || {})) made.setAttribute(key, value);
  made.append(...children);
  return made;
}
function options(select, codes, labelled, chosen) {
  select.replaceChildren(...codes.map((code) => element("option", { value: code }, labelled(code))));
  select.value = chosen;
}
function drawChoices() {
  const all = indicators();
  if (!all.includes(state.indicator)) state.indicator = all[0];
  if (!statistics().includes(state.statistic)) state.statistic = statistics()[0];
  options(at("unit"), Object.keys(content.cells), (code) => label("unit_type", code), state.unit);
  options(at("indicator"), all, (code) => label("indicator", `${state.unit}:${code}`), state.indicator);
  options(at("statistic"), statistics(), (code) => label("statistic", code), state.statistic);
  const kinds = modelled().length ? ["direct", "model"] : ["direct"];
  if (!kinds.includes(state.values)) state.values = "direct";
  options(at("values"), kinds, (kind) => texts[state.language][kind], state.values);
  at("model-help").hidden = state.values === "direct";
}
// Five classes with as many départements each: amounts are skewed, equal steps would leave one in colour.
function classes(values) {
  const sorted = [...values].sort((a, b) => a - b);
  const starts = colours.map((_, n) => sorted[Math.floor((n * sorted.length) / colours.length)]);
  const own = starts.filter((start, n) => start !== undefined && start !== starts[n - 1]);
  return { starts: own, last: sorted.at(-1), of: (value) => own.findLastIndex((start) => value >= start) };
}
function drawMap() {
  // Départements that are published together show the value of their group.
  const drawn = state.values === "model" ? modelled() : cells().filter((cell) => cell[0] === "departement");
  const own = new Map(drawn.flatMap((cell) => (content.groups[state.unit][cell[1]] || [cell[1]]).map((code) => [code, cell])));
  const values = drawn.filter((cell) => cell[6] === "V" && cell[3] !== null).map((cell) => cell[3]);
  const scale = classes(values);
  for (const path of document.querySelectorAll("#map path[data-code]")) {
    const cell = own.get(path.dataset.code), small = path.closest("#shapes");
    const open = cell && cell[6] === "V" && cell[3] !== null;
    const closed = cell && cell[6] !== "V";
    const hatch = small ? "url(#hatch)" : "url(#hatch-inset)";
    path.setAttribute("fill", open ? colours[scale.of(cell[3])] : closed ? hatch : "#f2f2f2");
    if (!small) continue;
    const name = content.shapes.departements[path.dataset.code].name;
    path.setAttribute("aria-label", cell ? reading(cell) : `${name}${texts[state.language].colon}${texts[state.language].none}`);
  }
  tell();
  const items = scale.starts.map((start, n) => {
    const swatch = element("i", {});
    swatch.style.background = colours[n];
    const [from, end] = [number(start), number(scale.starts[n + 1] ?? scale.last)];
    return element("li", {}, swatch, from === end ? from : `${from} ${texts[state.language].to} ${end}`);
  });
  items.push(element("li", {}, element("i", { class: "hatched" }), texts[state.language].suppressed));
  items.push(element("li", {}, element("i", { class: "nothing" }), texts[state.language].none));
  at("legend").replaceChildren(...items);
}
function drawChart() {
  const own = cells().filter((cell) => cell[0] === "france");
  const most = isShare() ? 1 : Math.max(...own.map((cell) => cell[5] || cell[3] || 0)) || 1;
  at("chart").replaceChildren(...own.map((cell) => {
    const bar = element("b", {}), whole = element("span", { class: "bar", "aria-hidden": "true" }, bar);
    if (cell[6] === "V" && cell[3] !== null) bar.style.width = `${Math.max(0.5, (100 * cell[3]) / most)}%`;
    else bar.className = "hatched";
    if (interval(cell)) {
      const line = element("i", {});
      line.style.left = `${(100 * cell[4]) / most}%`;
      line.style.width = `${(100 * (cell[5] - cell[4])) / most}%`;
      whole.append(line);
    }
    const value = cell[6] === "V" ? shown(cell) : `s (${texts[state.language].suppressed})`;
    const between = interval(cell);
    return element("li", {}, `${label("size_class", cell[2])}${texts[state.language].colon}${value}${between && ` (${between})`}`, whole);
  }));
}
const plain = (text) => text.normalize("NFD").replace(/\p{M}/gu, "").toLowerCase();
function rows() {
  const wanted = plain(state.filter);
  return cells()
    .map((cell) => [label("geography", cell[0]), label("area_code", `${cell[0]}:${cell[1]}`), label("size_class", cell[2]),
      shown(cell), interval(cell), cell[7] ? label("quality_flag", cell[7]) : label("status", cell[6])])
    .map((row, place) => ({ row, cell: cells()[place] }))
    .filter(({ row }) => plain(row.join(" ")).includes(wanted));
}
function drawTable() {
  const text = texts[state.language], found = rows();
  at("head").replaceChildren(...text.head.map((name) => element("th", { scope: "col" }, name)));
  at("rows").replaceChildren(...found.map(({ row }) => element("tr", {}, ...row.map((value, place) =>
    place === 1 ? element("th", { scope: "row" }, value, element("small", { class: "level" }, row[0] === value ? "" : row[0])) : element("td", {}, value)))));
  at("count").textContent = text.rows(found.length);
  at("caption").textContent = at("shown").textContent = heading();
}
function heading() {
  const statistic = label("statistic", state.statistic);
  const parts = [label("indicator", `${state.unit}:${state.indicator}`), `${label("unit_type", state.unit)}, ${content.wave}`];
  return `${parts.join(" – ")} (${statistic[0].toLowerCase()}${statistic.slice(1)})`;
}
// What the map says of the département last pointed at, touched or reached by keyboard.
function tell() {
  const path = document.querySelector(`#shapes path[data-code="${state.area}"]`);
  at("reading").textContent = path ? path.getAttribute("aria-label") : texts[state.language].hint;
}
function drawFiles() {
  const files = Object.entries(texts[state.language].filesList);
  at("files").replaceChildren(...files.map(([path, name]) => element("li", {}, element("a", { href: path }, name))));
}
function draw() {
  const text = texts[state.language];
  document.documentElement.lang = state.language;
  document.title = content.title[language()];
  at("title").textContent = content.title[language()];
  at("subtitle").textContent = content.label[language()];
  at("source").textContent = content.source[language()];
  at("attribution").textContent = content.shapes[state.language === "fr" ? "attribution_fr" : "attribution"];
  for (const place of document.querySelectorAll("[data-text]")) place.textContent = text[place.dataset.text];
  for (const button of document.querySelectorAll("[data-language]")) button.setAttribute("aria-pressed", button.dataset.language === state.language);
  at("signs").replaceChildren(...text.signsList.flatMap(([sign, meaning]) => [element("dt", {}, sign), element("dd", {}, meaning)]));
  document.querySelector("#inset text").textContent = text.inset;
  drawChoices(); drawMap(); drawChart(); drawTable(); drawFiles();
}
function csv() {
  const names = ["unit_type", "indicator", "statistic", "geography", "area_code", "area", "size_class", "estimate", "ci_low", "ci_high", "status", "quality_flag"];
  const quoted = (value) => (value === null ? "" : typeof value === "number" ? String(value) : `"${String(value).replaceAll('"', '""')}"`);
  const lines = rows().map(({ row, cell }) => [state.unit, state.indicator, state.statistic, cell[0], cell[1], row[1], ...cell.slice(2)]);
  return [names, ...lines].map((line) => line.map(quoted).join(",")).join("\r\n") + "\r\n";
}
function download() {
  const link = element("a", { download: `asco_${content.wave}_${state.unit}_${state.indicator}_${state.statistic}.csv` });
  link.href = URL.createObjectURL(new Blob([csv()], { type: "text/csv" }));
  link.click();
  setTimeout(() => URL.revokeObjectURL(link.href), 1000);
}
function buildMap() {
  at("map").setAttribute("viewBox", content.shapes.viewBox);
  // sorted, since an object puts keys like 75 before keys like 01
  const made = Object.entries(content.shapes.departements).sort(([a], [b]) => (a < b ? -1 : 1)).map(([code, shape], place) => {
    const path = drawing("path", { d: shape.path, role: "img", tabindex: place === 0 ? "0" : "-1" });
    path.dataset.code = code;
    return path;
  });
  at("shapes").replaceChildren(...made);
  buildInset();
  for (const happens of ["focusin", "mouseover"]) at("map").addEventListener(happens, (event) => {
    if (event.target.dataset.code) { state.area = event.target.dataset.code; tell(); }
  });
  at("shapes").addEventListener("keydown", (event) => {
    const moves = { ArrowRight: 1, ArrowDown: 1, ArrowLeft: -1, ArrowUp: -1 };
    if (!(event.key in moves)) return;
    event.preventDefault();
    const next = made[(made.indexOf(event.target) + moves[event.key] + made.length) % made.length];
    event.target.setAttribute("tabindex", "-1");
    next.setAttribute("tabindex", "0");
    next.focus();
  });
}
function drawing(name, attributes) {
  const made = document.createElementNS("http://www.w3.org/2000/svg", name);
  for (const [key, value] of Object.entries(attributes)) made.setAttribute(key, value);
  return made;
}
function buildInset() {
  const moved = `translate(${inset.x} ${inset.y}) scale(${inset.scale}) translate(${-inset.left} ${-inset.top})`;
  const enlarged = drawing("g", { transform: moved });
  for (const code of inset.codes) {
    const copy = drawing("path", { d: content.shapes.departements[code].path });
    copy.dataset.code = code;
    enlarged.append(copy);
  }
  const { x, y, width, height } = inset;
  at("inset").replaceChildren(enlarged, drawing("rect", { x, y, width, height }), drawing("text", { x, y: y - 14 }));
}
buildMap();
at("choices").addEventListener("submit", (event) => event.preventDefault());
for (const name of ["unit", "indicator", "statistic", "values"]) at(name).addEventListener("change", (event) => { state[name] = event.target.value; draw(); });
at("filter").addEventListener("input", (event) => { state.filter = event.target.value; drawTable(); });
at("download").addEventListener("click", download);
for (const button of document.querySelectorAll("[data-language]")) button.addEventListener("click", () => { state.language = button.dataset.language; draw(); });
draw();
