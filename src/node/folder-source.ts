// Folders of the disk as sources.
import { readdir } from "node:fs/promises";
import { basename, join } from "node:path";
import type { SourceFolder } from "../checkpoint/storage.ts";
import { openFile, unreadable } from "./file-source.ts";

/** The files of a folder, links included (a download cache is full of them), its subfolders not. */
export function folderSource(path: string): SourceFolder {
  return {
    name: path,
    list: async () => {
      try {
        const entries = await readdir(path, { withFileTypes: true });
        return entries
          .filter((entry) => !entry.isDirectory())
          .map((entry) => entry.name)
          .sort();
      } catch (cause) {
        throw unreadable(path, cause);
      }
    },
    open: async (file) => {
      if (file !== basename(file)) throw new RangeError(`"${file}" is not a file name`);
      return openFile(join(path, file));
    },
  };
}
