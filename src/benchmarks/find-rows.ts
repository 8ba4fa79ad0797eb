// Finds the rows of a benchmark below a folder: as its authors publish them, or as the hub has them, under any name that says what
// is inside.
import { type ByteSource, baseName, type SourceFolder } from "../checkpoint/storage.ts";
import { CompError } from "../errors.ts";
import { readRows } from "../texts/read-source.ts";
import type { Row } from "../texts/rows.ts";
import type { DataFiles } from "./benchmark.ts";

/** A download cache of the hub has its files four levels down. */
const MAX_DEPTH = 6;

/** Formats in the order of preference. */
const ENDINGS = [".jsonl", ".ndjson", ".json", ".parquet", ".tsv"];

const SPLITS: Readonly<Record<DataFiles["split"], RegExp>> = {
  test: /(^|-)test(-|$)/,
  validation: /(^|-)(val|valid|validation|dev)(-|$)/,
};

/** All files that may hold data of benchmarks, by their paths in the folder. */
export async function listDataFiles(folder: SourceFolder): Promise<string[]> {
  const walk = async (path: string | undefined, depth: number): Promise<string[]> => {
    const within = (name: string): string => (path === undefined ? name : `${path}/${name}`);
    const files = (await folder.list(path)).filter((name) => formatOf(name) >= 0).map(within);
    if (depth === MAX_DEPTH) return files;
    for (const name of await folder.subfolders(path))
      if (!name.startsWith(".")) files.push(...(await walk(within(name), depth + 1)));
    return files;
  };
  return walk(undefined, 0);
}

/**
 * The rows of a benchmark in their order, from all parts of the file that suits best.
 *
 * @param files of the folder, as of `listDataFiles`
 * @throws {CompError} "calibration" when there is none, or it cannot be read
 */
export async function findRows(
  name: string,
  wanted: DataFiles,
  folder: SourceFolder,
  files: readonly string[],
): Promise<Row[]> {
  const [best] = candidates(wanted, files, "").concat(candidates(wanted, files, `${baseName(folder.name)}/`));
  if (best === undefined) throw nothingFor(name, wanted, folder.name, files);
  const parts = files.filter((file) => withoutPart(file) === withoutPart(best)).sort();
  const rows: Row[] = [];
  for (const part of parts) rows.push(...(await withFile(folder, part, readRows)));
  return rows.some(({ fields }) => "label" in fields) ? rows : withLabels(rows, folder, best);
}

/** Best first. What the folder is called counts only where nothing in it says as much. */
function candidates({ path, without, split }: DataFiles, files: readonly string[], prefix: string): string[] {
  const fits = (file: string): boolean => {
    const words = wordsOf(prefix + file);
    const isOther = without?.test(words) ?? false;
    return path.every((part) => part.test(words)) && !isOther && SPLITS[split].test(wordsOf(splitName(file)));
  };
  const order = (a: string, b: string): number =>
    formatOf(a) - formatOf(b) || a.length - b.length || (a < b ? -1 : Number(a > b));
  return files.filter(fits).sort(order);
}

/** What names the split: the file, or the folder of numbered parts ("validation/0000.parquet"). */
const splitName = (file: string): string => baseName(file.replace(/\/\d+\.\w+$/, ""));

const wordsOf = (path: string): string =>
  path
    .toLowerCase()
    .replace(/\.[a-z]+(\.gz)?$/, "")
    .replace(/[^a-z0-9]+/g, "-");

const formatOf = (name: string): number =>
  ENDINGS.findIndex((ending) => name.toLowerCase().replace(/\.gz$/, "").endsWith(ending));

/** The hub cuts a table into parts: "test-00000-of-00002.parquet", "test/0000.parquet". */
const withoutPart = (file: string): string => file.replace(/-\d{5}-of-/, "-of-").replace(/\/\d+\.parquet$/, "");

/** Labels in a file of their own, one a line, as the authors of PIQA have them: dev.jsonl and dev-labels.lst. */
async function withLabels(rows: readonly Row[], folder: SourceFolder, file: string): Promise<Row[]> {
  const at = file.lastIndexOf("/") + 1;
  const labels = `${file.slice(at).replace(/\..*$/, "")}-labels.lst`;
  const place = at === 0 ? undefined : file.slice(0, at - 1);
  if (!(await folder.list(place)).includes(labels)) return [...rows];
  const bytes = await withFile(folder, file.slice(0, at) + labels, (source) => source.read(0, source.size));
  const lines = new TextDecoder().decode(bytes).split("\n");
  return rows.map(({ fields, place }, i) => ({ fields: { ...fields, label: lines[i]?.trim() }, place }));
}

async function withFile<T>(folder: SourceFolder, file: string, use: (source: ByteSource) => Promise<T>): Promise<T> {
  const source = await folder.open(file);
  try {
    return await use(source);
  } finally {
    await source.close();
  }
}

function nothingFor(name: string, { split, example }: DataFiles, folder: string, files: readonly string[]): CompError {
  const present = files.length === 0 ? "it holds no data file" : `it holds ${listed(files)}`;
  return new CompError("calibration", `${folder} has no ${split} data of ${name}: ${present}`, {
    hint: `put them there as published, such as ${example}, or as the hub has them, in JSON Lines or Parquet`,
  });
}

/** Enough to see what kind of folder it is. */
const MOST_LISTED = 12;

const listed = (files: readonly string[]): string =>
  files.length <= MOST_LISTED
    ? files.join(", ")
    : `${files.slice(0, MOST_LISTED).join(", ")} and ${files.length - MOST_LISTED} more`;
