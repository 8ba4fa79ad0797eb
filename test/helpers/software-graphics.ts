// WebGPU without a graphics processor: SwiftShader, which browsers bring, computes what a driver would. It is slow, and right.
import { existsSync } from "node:fs";
import { tmpdir } from "node:os";

const DRIVERS = ["/usr/lib/chromium/vk_swiftshader_icd.json", "/opt/google/chrome/vk_swiftshader_icd.json"];

/** Makes SwiftShader the graphics of this process, before any are used; returns why it cannot. */
export function useSoftwareGraphics(): string | undefined {
  const driver = process.env.VK_ICD_FILENAMES ?? DRIVERS.find((path) => existsSync(path));
  if (process.platform !== "linux" || driver === undefined) return "no chromium package that brings SwiftShader";
  process.env.VK_ICD_FILENAMES = driver;
  process.env.XDG_RUNTIME_DIR ??= tmpdir();
  return undefined;
}
