//! Two kinds of plot, written by hand: bars for comparing peers, lines for growth.

use std::fmt::Write;

/// Bars from the left, one per row, the numbers behind them.
pub fn bars(title: &str, unit: &str, rows: &[(String, f64)]) -> String {
    let greatest = rows
        .iter()
        .map(|(_, value)| *value)
        .fold(f64::MIN_POSITIVE, f64::max);
    let height = 64 + rows.len() * 26;
    let mut svg = open(title, unit, height);
    for (at, (name, value)) in rows.iter().enumerate() {
        let y = 52 + at * 26;
        let width = (value / greatest * 400.0).max(1.0);
        let colour = colour_of(name, at);
        let _ = writeln!(
            svg,
            "<text x='150' y='{}' text-anchor='end'>{}</text><rect x='158' y='{y}' width='{width:.1}' height='18' fill='{colour}'/>\
             <text x='{:.1}' y='{}'>{}</text>",
            y + 14,
            escaped(name),
            164.0 + width,
            y + 14,
            number(*value)
        );
    }
    svg + "</svg>\n"
}

/// Lines over sizes, both axes logarithmic.
pub fn lines(title: &str, unit: &str, rows: &[(String, Vec<(f64, f64)>)]) -> String {
    let points = || rows.iter().flat_map(|(_, points)| points);
    let ends = |values: Vec<f64>| {
        let least = values.iter().copied().fold(f64::MAX, f64::min).max(1.0);
        (
            least.ln(),
            values.iter().copied().fold(least * 1.1, f64::max).ln(),
        )
    };
    let (left, right) = ends(points().map(|point| point.0).collect());
    let (low, high) = ends(points().map(|point| point.1).collect());
    let x = |value: f64| 80.0 + (value.max(1.0).ln() - left) / (right - left) * 400.0;
    let y = |value: f64| 340.0 - (value.max(1.0).ln() - low) / (high - low) * 280.0;
    let mut svg = open(title, unit, 390);
    let mut sizes: Vec<f64> = points().map(|point| point.0).collect();
    sizes.sort_by(f64::total_cmp);
    sizes.dedup();
    for size in sizes {
        let at = x(size);
        let _ = writeln!(
            svg,
            "<line x1='{at:.1}' y1='55' x2='{at:.1}' y2='345' stroke='#ddd'/><text x='{at:.1}' y='362' text-anchor='middle'>{size}</text>"
        );
    }
    let mut labels: Vec<(f64, String, &str)> = Vec::new();
    for (at, (name, points)) in rows.iter().enumerate() {
        let colour = colour_of(name, at);
        let path: Vec<String> = points
            .iter()
            .map(|(size, value)| format!("{:.1},{:.1}", x(*size), y(*value)))
            .collect();
        let _ = writeln!(
            svg,
            "<polyline points='{}' fill='none' stroke='{colour}' stroke-width='2'/>",
            path.join(" ")
        );
        if let Some((_, last)) = points.last() {
            labels.push((y(*last), format!("{} {}", name, number(*last)), colour));
        }
    }
    labels.sort_by(|one, other| one.0.total_cmp(&other.0));
    let mut free = 0.0;
    for (at, text, colour) in labels {
        let at = f64::max(at, free);
        free = at + 15.0;
        let _ = writeln!(
            svg,
            "<text x='490' y='{:.1}' fill='{colour}'>{}</text>",
            at + 4.0,
            escaped(&text)
        );
    }
    svg + "</svg>\n"
}

fn open(title: &str, unit: &str, height: usize) -> String {
    format!(
        "<svg xmlns='http://www.w3.org/2000/svg' viewBox='0 0 680 {height}' width='680' height='{height}' \
         font-family='sans-serif' font-size='12'>\n<rect width='680' height='{height}' fill='white'/>\n\
         <text x='16' y='22' font-size='15' font-weight='bold'>{}</text><text x='16' y='40' fill='#666'>{}</text>\n",
        escaped(title),
        escaped(unit)
    )
}

fn number(value: f64) -> String {
    if value < 10.0 {
        format!("{value:.2}")
    } else {
        format!("{value:.0}")
    }
}

fn escaped(text: &str) -> String {
    text.replace('&', "&amp;")
        .replace('<', "&lt;")
        .replace('>', "&gt;")
}

/// Ours stands out; the floor is grey.
fn colour_of(name: &str, at: usize) -> &'static str {
    const OTHERS: [&str; 6] = [
        "#4c78a8", "#72b7b2", "#54a24b", "#b279a2", "#9d755d", "#eeca3b",
    ];
    match name {
        "floor" => "#999999",
        "heartline" => "#d62728",
        "heartline-1-shard" => "#ff9896",
        _ => OTHERS[at % OTHERS.len()],
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_longest_bar_is_the_greatest_number() {
        let svg = bars("a < b", "s", &[("floor".into(), 1.0), ("ws".into(), 2.0)]);
        assert!(
            svg.contains("width='200.0'")
                && svg.contains("width='400.0'")
                && svg.contains("a &lt; b")
        );
        assert!(svg.ends_with("</svg>\n"));
    }

    #[test]
    fn lines_stay_inside_the_plot() {
        let svg = lines(
            "t",
            "u",
            &[("ws".into(), vec![(1_000.0, 10.0), (19_000.0, 1_000.0)])],
        );
        assert!(svg.contains("points='80.0,340.0 480.0,60.0'"), "{svg}");
    }
}
