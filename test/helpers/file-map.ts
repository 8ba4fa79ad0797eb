// The README's file map, made from the first sentence of each source file. Run by `npm run fix`, compared by a test.
import { readdirSync, readFileSync, writeFileSync } from "node:fs";
import { dirname, join } from "node:path";

const ROOT = join(import.meta.dirname, "../..");
const README = join(ROOT, "README.md");
const MAP = /(?<=<!-- file map -->\n)[\s\S]*?(?=<!-- end of file map -->)/;

export const readFileMap = (): string | undefined => MAP.exec(readFileSync(README, "utf8"))?.[0];

export function renderFileMap(): string {
  const files = sourceFiles();
  const width = Math.max(...files.map(({ name }) => name.length));
  const lines: string[] = [];
  let folder = "";
  for (const file of files) {
    if (file.folder !== folder) lines.push("", `${file.folder}/`);
    folder = file.folder;
    lines.push(`  ${file.name.padEnd(width)}  ${firstSentence(join(ROOT, file.folder, file.name))}`);
  }
  return `\`\`\`\n${lines.join("\n").trim()}\n\`\`\`\n`;
}

function sourceFiles(): { folder: string; name: string }[] {
  const paths = readdirSync(join(ROOT, "src"), { recursive: true, encoding: "utf8" });
  return paths
    .map((path) => `src/${path.replaceAll("\\", "/")}`)
    .filter((path) => path.endsWith(".ts"))
    .map((path) => ({ folder: dirname(path), name: path.slice(dirname(path).length + 1) }))
    .sort((a, b) => compare(a.folder, b.folder) || compare(a.name, b.name));
}

const compare = (a: string, b: string): number => (a < b ? -1 : a > b ? 1 : 0);

/** @throws {Error} when the file does not begin with a comment that says what it is */
function firstSentence(path: string): string {
  const comment = /^(?:#!.*\n)?((?:\/\/ .*\n)+)/.exec(readFileSync(path, "utf8"))?.[1];
  if (comment === undefined) throw new Error(`${path} does not begin with a comment that says what it is`);
  const text = comment
    .replace(/^\/\/ /gm, "")
    .replaceAll("\n", " ")
    .trim();
  return /^.*?\.(?= [A-Z]|$)/.exec(text)?.[0] ?? text;
}

if (process.argv[1] === import.meta.filename)
  writeFileSync(
    README,
    readFileSync(README, "utf8").replace(MAP, () => renderFileMap()),
  );
