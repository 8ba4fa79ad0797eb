// Sizes as people write them.

/** Bytes of a size such as "5GB", "500 MB" or "1024B"; units are decimal, as disks are sold. */
export function parseByteSize(text: string): number {
  const [, count, unit] = /^([\d.]+) ?([KMG]?)B$/i.exec(text)!;
  return Math.floor(Number(count) * 1000 ** ["", "K", "M", "G"].indexOf(unit!.toUpperCase()));
}
