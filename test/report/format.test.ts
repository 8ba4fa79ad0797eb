import { expect, test } from "vitest";
import {
  formatBytes,
  formatCount,
  formatFigure,
  formatInteger,
  formatPercent,
  formatSeconds,
} from "../../src/report/format.ts";

test.each([
  [formatCount(999), "999"],
  [formatCount(134_515_008), "134.5 M"],
  [formatCount(7e9), "7.0 B"],
  [formatBytes(12), "12 B"],
  [formatBytes(812_300_000), "812.3 MB"],
  [formatPercent(0.2034), "20.3 %"],
  [formatSeconds(8.43), "8.4 s"],
  [formatSeconds(59.97), "1 min 00 s"],
  [formatSeconds(151), "2 min 31 s"],
  [formatSeconds(3725), "1 h 02 min"],
  [formatFigure(27.314), "27.31"],
  [formatFigure(0.40212), "0.4021"],
  [formatFigure(1_523_000), "1.5e+6"],
  [formatFigure(0), "0"],
  [formatInteger(32768), "32,768"],
])("%s is written %s", (formatted, expected) => expect(formatted).toBe(expected));
