// What a run has written.
import { readFileSync } from "node:fs";
import { join } from "node:path";
import { type Model, openModel } from "../../src/model/model.ts";
import { openPath } from "../../src/node/open-path.ts";
import { temporaryFolder } from "./temporary.ts";

/** A name in a folder of the running test under which nothing stands yet. */
export const newOutput = (name = "out"): string => join(temporaryFolder(), name);

export async function withModel<T>(path: string, use: (model: Model) => Promise<T>): Promise<T> {
  const checkpoint = await openPath(path);
  try {
    return await use(await openModel(checkpoint));
  } finally {
    await checkpoint.close();
  }
}

export const readConfig = (folder: string): Record<string, unknown> =>
  JSON.parse(readFileSync(join(folder, "config.json"), "utf8")) as Record<string, unknown>;
