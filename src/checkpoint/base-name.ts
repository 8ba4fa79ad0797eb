// The last part of a path, of either kind of slash: what a published file may say of where something lay.

export const baseName = (path: string): string =>
  path
    .replace(/[\\/]+$/, "")
    .split(/[\\/]/)
    .at(-1)!;
