// Draws how much text grows with how few tokens, from what `comp vocabulary MODEL --text FILE … --json` prints.
//   node bench/vocabulary-curve.mjs NAME=CURVE.json … > docs/vocabulary.svg
import { readFileSync } from "node:fs";

const WIDTH = 720;
const HEIGHT = 400;
const PLOT = { left: 60, right: 700, top: 20, bottom: 340 };
/** Shares of the vocabulary, and growths, at which there is a line. */
const SHARES = [1 / 64, 1 / 32, 1 / 16, 1 / 8, 1 / 4, 1 / 2, 1];
const GROWTHS = [0, 0.05, 0.1, 0.15, 0.2, 0.25, 0.3];
const COLOURS = ["#1f6feb", "#d1570a", "#2da44e", "#8250df"];

const curves = process.argv.slice(2).map((argument) => {
  const [name, file] = argument.split("=");
  return { name, ...JSON.parse(readFileSync(file, "utf8")) };
});
if (curves.length === 0) throw new Error("give NAME=CURVE.json");

/** Halvings are equally far apart. */
const x = (share) => PLOT.right + (Math.log2(share) / -Math.log2(SHARES[0])) * (PLOT.right - PLOT.left);
const y = (growth) => PLOT.bottom - (growth / GROWTHS.at(-1)) * (PLOT.bottom - PLOT.top);
const text = (left, top, anchor, content, more = "") =>
  `<text x="${left.toFixed(1)}" y="${top.toFixed(1)}" text-anchor="${anchor}"${more}>${content}</text>`;

const grid = [
  ...SHARES.map((share) => [
    `<line x1="${x(share)}" y1="${PLOT.top}" x2="${x(share)}" y2="${PLOT.bottom}" stroke="#ddd"/>`,
    text(x(share), PLOT.bottom + 18, "middle", share === 1 ? "all" : `1/${1 / share}`),
  ]),
  ...GROWTHS.map((growth) => [
    `<line x1="${PLOT.left}" y1="${y(growth)}" x2="${PLOT.right}" y2="${y(growth)}" stroke="#ddd"/>`,
    text(PLOT.left - 8, y(growth) + 4, "end", `${Math.round(100 * growth)} %`),
  ]),
].flat();

function drawn({ name, points, whole, auto }, i) {
  const colour = COLOURS[i % COLOURS.length];
  const line = (growthOf, dashes) => {
    const places = [...points, whole]
      .map((point) => ({ share: point.tokens / whole.tokens, growth: growthOf(point) }))
      .filter(({ share, growth }) => share >= SHARES[0] && growth <= GROWTHS.at(-1))
      .map(({ share, growth }) => `${x(share).toFixed(1)},${y(growth).toFixed(1)}`);
    return `<polyline points="${places.join(" ")}" fill="none" stroke="${colour}" stroke-width="2"${dashes}/>`;
  };
  const growth = ({ tokens }) => tokens.after / tokens.before - 1;
  const ofTexts = (point) => {
    const sum = (when) => point.texts.reduce((all, { tokens }) => all + tokens[when], 0);
    return sum("after") / sum("before") - 1;
  };
  const at = points.find(({ tokens }) => tokens === auto) ?? whole;
  const mark = `<circle cx="${x(at.tokens / whole.tokens).toFixed(1)}" cy="${y(growth(at.heldOut)).toFixed(1)}" r="4" fill="${colour}"/>`;
  const top = PLOT.top + 20 + 18 * i;
  return [
    line(ofTexts, ' stroke-dasharray="5 4"'),
    line((point) => growth(point.heldOut), ""),
    mark,
    text(PLOT.right - 10, top, "end", `${name}, ${whole.tokens.toLocaleString("en-US")} tokens`, ` fill="${colour}"`),
  ];
}

console.log(
  [
    `<svg xmlns="http://www.w3.org/2000/svg" viewBox="0 0 ${WIDTH} ${HEIGHT}" font-family="sans-serif" font-size="12">`,
    `<rect width="${WIDTH}" height="${HEIGHT}" fill="white"/>`,
    ...grid,
    ...curves.flatMap(drawn),
    text(
      (PLOT.left + PLOT.right) / 2,
      HEIGHT - 22,
      "middle",
      "share of the tokens that stay; a dot where held-out text grows by 1 %",
    ),
    text(
      (PLOT.left + PLOT.right) / 2,
      HEIGHT - 6,
      "middle",
      "growth of the given texts (dashed) and of their held-out parts",
    ),
    "</svg>",
  ].join("\n"),
);
