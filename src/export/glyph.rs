//! Characters that are really drawings, as shapes.
//!
//! Blocks, braille and lines must meet at the edges of their cells. In a terminal they do; a font
//! in a browser pulls them apart. So they are drawn here, on a cell of 8 × 16.

/// Width of a cell.
pub(super) const WIDTH: u32 = 8;
/// Height of a cell.
pub(super) const HEIGHT: u32 = 16;

/// Something within a cell.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Shape {
    /// A filled box.
    Fill(Area),
    /// A round dot around a point.
    Dot {
        /// From the left.
        x: u32,
        /// From the top.
        y: u32,
    },
    /// A thin line, as SVG path data from the cell's corner.
    Line(&'static str),
}

/// A box within a cell.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) struct Area {
    pub(super) x: u32,
    pub(super) y: u32,
    pub(super) w: u32,
    pub(super) h: u32,
}

/// Weights of the arms left, up, right and down of U+2500 to U+257F: 1 light, 2 heavy, 3 double.
const ARMS: [&str; 8] = [
    "1010 2020 0101 0202 1010 2020 0101 0202 1010 2020 0101 0202 0011 0021 0012 0022",
    "1001 2001 1002 2002 0110 0120 0210 0220 1100 2100 1200 2200 0111 0121 0211 0112",
    "0212 0221 0122 0222 1101 2101 1201 1102 1202 2201 2102 2202 1011 2011 1021 2021",
    "1012 2012 1022 2022 1110 2110 1120 2120 1210 2210 1220 2220 1111 2111 1121 2121",
    "1211 1112 1212 2211 1221 2112 1122 2221 2122 2212 1222 2222 1010 2020 0101 0202",
    "3030 0303 0031 0013 0033 3001 1003 3003 0130 0310 0330 3100 1300 3300 0131 0313",
    "0333 3101 1303 3303 3031 1013 3033 3130 1310 3330 3131 1313 3333 0000 0000 0000",
    "0000 0000 0000 0000 1000 0100 0010 0001 2000 0200 0020 0002 1020 0102 2010 0201",
];

/// The shapes of a character and how much of its ink they take (1 is all of it, a shade less);
/// `None` if it is text.
pub(super) fn shapes(c: char) -> Option<(Vec<Shape>, f32)> {
    let code = u32::from(c);
    let (shapes, ink) = match c {
        '\u{2591}' => (vec![fill(0, 0, 8, 16)], 0.25),
        '\u{2592}' => (vec![fill(0, 0, 8, 16)], 0.5),
        '\u{2593}' => (vec![fill(0, 0, 8, 16)], 0.75),
        '\u{2580}'..='\u{259f}' => (block(code - 0x2580), 1.0),
        '\u{2800}'..='\u{28ff}' => (braille(code - 0x2800), 1.0),
        '\u{1fb00}'..='\u{1fb3b}' => (sextant(code - 0x1fb00), 1.0),
        '\u{256d}' => (vec![Shape::Line("m4.5 16v-4q0-3.5 3.5-3.5")], 1.0),
        '\u{256e}' => (vec![Shape::Line("m4.5 16v-4q0-3.5-3.5-3.5h-1")], 1.0),
        '\u{256f}' => (vec![Shape::Line("m4.5 0v5q0 3.5-3.5 3.5h-1")], 1.0),
        '\u{2570}' => (vec![Shape::Line("m4.5 0v5q0 3.5 3.5 3.5")], 1.0),
        '\u{2571}' => (vec![Shape::Line("m0 16l8-16")], 1.0),
        '\u{2572}' => (vec![Shape::Line("m0 0l8 16")], 1.0),
        '\u{2573}' => (vec![Shape::Line("m0 16l8-16m-8 0l8 16")], 1.0),
        '\u{2500}'..='\u{257f}' => (lines(code - 0x2500), 1.0),
        _ => return None,
    };
    Some((shapes, ink))
}

const fn fill(x: u32, y: u32, w: u32, h: u32) -> Shape {
    Shape::Fill(Area { x, y, w, h })
}

/// U+2580 to U+259F without the shades.
fn block(n: u32) -> Vec<Shape> {
    match n {
        0x00 => vec![fill(0, 0, 8, 8)],
        0x01..=0x08 => vec![fill(0, 16 - 2 * n, 8, 2 * n)],
        0x09..=0x0f => vec![fill(0, 0, 16 - n, 16)],
        0x10 => vec![fill(4, 0, 4, 16)],
        0x14 => vec![fill(0, 0, 8, 2)],
        0x15 => vec![fill(7, 0, 1, 16)],
        // Upper left, upper right, lower left, lower right.
        0x16 => quadrants(0b0010),
        0x17 => quadrants(0b0001),
        0x18 => quadrants(0b1000),
        0x19 => quadrants(0b1011),
        0x1a => quadrants(0b1001),
        0x1b => quadrants(0b1110),
        0x1c => quadrants(0b1101),
        0x1d => quadrants(0b0100),
        0x1e => quadrants(0b0110),
        _ => quadrants(0b0111),
    }
}

fn quadrants(bits: u32) -> Vec<Shape> {
    let places = [(0b1000, 0, 0), (0b0100, 4, 0), (0b0010, 0, 8), (0b0001, 4, 8)];
    let places = places.into_iter().filter(|(bit, ..)| bits & bit != 0);
    places.map(|(_, x, y)| fill(x, y, 4, 8)).collect()
}

/// Bits 0 to 2 and 6 are the left column from the top, 3 to 5 and 7 the right one.
fn braille(bits: u32) -> Vec<Shape> {
    let places = [
        (0, 2, 2),
        (1, 2, 6),
        (2, 2, 10),
        (6, 2, 14),
        (3, 6, 2),
        (4, 6, 6),
        (5, 6, 10),
        (7, 6, 14),
    ];
    let places = places.into_iter().filter(|(bit, ..)| bits >> bit & 1 == 1);
    places.map(|(_, x, y)| Shape::Dot { x, y }).collect()
}

/// Two columns of three; the patterns that other blocks draw already are left out of the count.
fn sextant(n: u32) -> Vec<Shape> {
    let bits = n + 1 + u32::from(20 <= n) + u32::from(40 <= n);
    let rows = [(0, 5), (5, 6), (11, 5)];
    let mut shapes = Vec::new();
    for (row_idx, (y, h)) in rows.into_iter().enumerate() {
        for (column_idx, x) in [0, 4].into_iter().enumerate() {
            if bits >> (row_idx * 2 + column_idx) & 1 == 1 {
                shapes.push(fill(x, y, 4, h));
            }
        }
    }
    shapes
}

/// Straight lines, whole or dashed.
fn lines(n: u32) -> Vec<Shape> {
    let row = ARMS.get(n as usize / 16).and_then(|row| row.split(' ').nth(n as usize % 16));
    let weights = row.unwrap_or_default().bytes().map(|digit| u32::from(digit - b'0'));
    let weights: Vec<u32> = weights.collect();
    let &[left, up, right, down] = weights.as_slice() else { return Vec::new() };
    let n_dashes = match n {
        0x04..=0x07 => 3,
        0x08..=0x0b => 4,
        0x4c..=0x4f => 2,
        _ => 1,
    };
    if 1 < n_dashes {
        return dashed(n_dashes, left.max(right), up.max(down));
    }
    // Light lines lie at 4 across and 8 down; an arm reaches through the line that it meets.
    let mut shapes = Vec::new();
    for (start, len, at, w) in bars((left, right), WIDTH, middle(3, up.max(down))) {
        shapes.push(fill(start, at + 7, len, w));
    }
    for (start, len, at, w) in bars((up, down), HEIGHT, middle(7, left.max(right))) {
        shapes.push(fill(at + 3, start, w, len));
    }
    shapes
}

/// Start, length, place and width of the strokes of two opposite arms; one through both if they
/// are alike, so that it has no seam.
fn bars(
    (first, second): (u32, u32),
    length: u32,
    (low, high): (u32, u32),
) -> impl Iterator<Item = (u32, u32, u32, u32)> {
    let spans = if first == second {
        [(first, 0, length), (0, 0, 0)]
    } else {
        [(first, 0, high), (second, low, length - low)]
    };
    spans.into_iter().flat_map(|(weight, start, len)| {
        strokes(weight).iter().map(move |(at, w)| (start, len, *at, *w))
    })
}

/// Where the line across begins and ends.
const fn middle(place: u32, weight: u32) -> (u32, u32) {
    if weight < 2 { (place + 1, place + 2) } else { (place, place + 3) }
}

/// Place and width of the strokes of a line of so much weight, within three.
const fn strokes(weight: u32) -> &'static [(u32, u32)] {
    match weight {
        1 => &[(1, 1)],
        2 => &[(0, 3)],
        3 => &[(0, 1), (2, 1)],
        _ => &[],
    }
}

fn dashed(n: u32, across: u32, upright: u32) -> Vec<Shape> {
    let dashes = |length: u32| (0..n).map(move |idx| (idx * length / n, length / n - 1));
    let mut shapes = Vec::new();
    for (at, w) in strokes(across) {
        shapes.extend(dashes(WIDTH).map(|(x, len)| fill(x, at + 7, len, *w)));
    }
    for (at, w) in strokes(upright) {
        shapes.extend(dashes(HEIGHT).map(|(y, len)| fill(at + 3, y, *w, len)));
    }
    shapes
}

#[cfg(test)]
mod tests {
    use super::*;

    /// The cell as rows of eight, `#` where it is filled.
    fn raster(c: char) -> Vec<String> {
        let mut rows = vec![vec!['.'; WIDTH as usize]; HEIGHT as usize];
        for shape in shapes(c).unwrap().0 {
            let Shape::Fill(area) = shape else { panic!("{c} is not made of boxes") };
            for y in area.y..area.y + area.h {
                for x in area.x..area.x + area.w {
                    rows[y as usize][x as usize] = '#';
                }
            }
        }
        rows.into_iter().map(String::from_iter).collect()
    }

    #[test]
    fn every_drawing_stays_within_its_cell_and_none_is_empty() {
        let codes = (0x2500..0x25a0).chain(0x2801..0x2900).chain(0x1fb00..0x1fb3c);
        for c in codes.filter_map(char::from_u32) {
            let (shapes, ink) = shapes(c).unwrap();
            assert!(!shapes.is_empty() && 0.0 < ink, "{c}");
            for shape in shapes {
                let is_within = match shape {
                    Shape::Fill(area) => {
                        0 < area.w
                            && 0 < area.h
                            && area.x + area.w <= WIDTH
                            && area.y + area.h <= HEIGHT
                    }
                    Shape::Dot { x, y } => x < WIDTH && y < HEIGHT,
                    Shape::Line(_) => true,
                };
                assert!(is_within, "{c} {shape:?}");
            }
        }
        assert!(shapes('a').is_none() && shapes('▲').is_none());
    }

    #[test]
    fn blocks_fill_their_part() {
        let area = |c| raster(c).join("").matches('#').count();
        for (c, n) in [('█', 128), ('▀', 64), ('▁', 16), ('▇', 112), ('▏', 16), ('▉', 112)]
        {
            assert_eq!(area(c), n, "{c}");
        }
        for (c, n) in [('▐', 64), ('▖', 32), ('▚', 64), ('▟', 96), ('🬀', 20), ('🬻', 108)]
        {
            assert_eq!(area(c), n, "{c}");
        }
        assert_eq!((raster('▗')[15].as_str(), raster('▗')[7].as_str()), ("....####", "........"));
        // BLOCK SEXTANT-235 comes after the left half, which has no code of its own.
        let sextant = raster('\u{1fb14}');
        let rows = [sextant[0].as_str(), sextant[8].as_str(), sextant[15].as_str()];
        assert_eq!(rows, ["....####", "####....", "####...."]);
        assert_eq!((raster('▌')[0].as_str(), raster('▐')[0].as_str()), ("####....", "....####"));
    }

    #[test]
    fn lines_meet_their_neighbours() {
        // Which edges a line touches is what its name says.
        for (c, left, up, right, down) in [
            ('─', true, false, true, false),
            ('┃', false, true, false, true),
            ('┌', false, false, true, true),
            ('┘', true, true, false, false),
            ('├', false, true, true, true),
            ('╋', true, true, true, true),
            ('╸', true, false, false, false),
            ('╔', false, false, true, true),
        ] {
            let rows = raster(c);
            let touched = (
                rows.iter().any(|row| row.starts_with('#')),
                rows[0].contains('#'),
                rows.iter().any(|row| row.ends_with('#')),
                rows[15].contains('#'),
            );
            assert_eq!(touched, (left, up, right, down), "{c}");
        }
        assert_eq!(raster('─')[8], "########");
        assert_eq!(raster('│')[0], "....#...");
        assert_eq!(raster('━').iter().filter(|row| row.contains('#')).count(), 3);
    }
}
