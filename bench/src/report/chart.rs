//! One kind of picture: a line for each system over places on an axis that have names.

use plotters::{
    drawing::IntoDrawingArea,
    prelude::{
        ChartBuilder, Circle, Color, IntoFont, LineSeries, PathElement, RGBColor, SVGBackend,
        SeriesLabelPosition, ShapeStyle,
    },
    style::{BLACK, WHITE},
};

const WIDTH: u32 = 760;
const HEIGHT: u32 = 360;
const FONT: (&str, u32) = ("sans-serif", 13);
/// Told apart also by who does not tell red from green.
const COLORS: [RGBColor; 6] = [
    RGBColor(0, 114, 178),
    RGBColor(213, 94, 0),
    RGBColor(0, 158, 115),
    RGBColor(204, 121, 167),
    RGBColor(230, 159, 0),
    RGBColor(86, 180, 233),
];

#[derive(Clone, Debug)]
pub struct Chart {
    pub title: String,
    pub unit: String,
    /// The names of the places, from left to right.
    pub places: Vec<String>,
    /// By name, a value for each place that has one.
    pub lines: Vec<(String, Vec<Option<f64>>)>,
    /// Whether equal distances are equal ratios.
    pub logarithmic: bool,
}

impl Chart {
    /// `None` if there is nothing to draw a line between.
    pub fn svg(&self) -> Option<String> {
        let values = || self.lines.iter().flat_map(|(_, values)| values.iter().flatten());
        let highest = values().copied().fold(0.0, f64::max);
        if self.places.len() < 2 || highest <= 0.0 {
            return None;
        }
        let lowest = values().copied().filter(|value| *value > 0.0).fold(highest, f64::min);
        let (bottom, top) = match self.logarithmic {
            true => ((lowest * 0.8).log10(), (highest * 1.3).log10()),
            false => (0.0, highest * 1.1),
        };
        let mut svg = String::new();
        self.draw(&mut svg, bottom, top).expect("a string takes all that is drawn");
        Some(svg)
    }

    fn draw(&self, svg: &mut String, bottom: f64, top: f64) -> Result<(), impl std::error::Error> {
        let area = SVGBackend::with_string(svg, (WIDTH, HEIGHT)).into_drawing_area();
        area.fill(&WHITE)?;
        let last = place(self.places.len().saturating_sub(1));
        let mut chart = ChartBuilder::on(&area)
            .caption(&self.title, FONT.into_font().resize(16.0))
            .margin(12)
            .x_label_area_size(34)
            .y_label_area_size(70)
            .build_cartesian_2d(-0.2..last + 0.2, bottom..top)?;
        let shown = |value: &f64| match self.logarithmic {
            true => crate::measure::digits(10_f64.powf(*value)),
            false => crate::measure::digits(*value),
        };
        chart
            .configure_mesh()
            .disable_x_mesh()
            .x_labels(self.places.len())
            .x_label_formatter(&|x| self.name_at(*x))
            .y_label_formatter(&shown)
            .y_desc(&self.unit)
            .label_style(FONT)
            .light_line_style(WHITE)
            .draw()?;
        for ((name, values), color) in self.lines.iter().zip(COLORS.into_iter().cycle()) {
            let height = |value: f64| if self.logarithmic { value.log10() } else { value };
            let points = values.iter().enumerate().filter_map(|(index, value)| {
                let value = value.filter(|value| *value > 0.0)?;
                Some((place(index), height(value)))
            });
            let points: Vec<(f64, f64)> = points.collect();
            let style = ShapeStyle::from(&color).stroke_width(2);
            chart
                .draw_series(LineSeries::new(points.iter().copied(), style))?
                .label(name)
                .legend(move |(x, y)| PathElement::new(vec![(x, y), (x + 16, y)], style));
            chart.draw_series(points.into_iter().map(|at| Circle::new(at, 3, style.filled())))?;
        }
        chart
            .configure_series_labels()
            .position(SeriesLabelPosition::UpperLeft)
            .background_style(WHITE.mix(0.85))
            .border_style(BLACK.mix(0.2))
            .label_font(FONT)
            .draw()?;
        area.present()
    }

    /// The place's name, at the place and not between two.
    fn name_at(&self, x: f64) -> String {
        let near = |index: &usize| (place(*index) - x).abs() < 0.01;
        let index = (0..self.places.len()).find(near);
        index.and_then(|index| self.places.get(index)).cloned().unwrap_or_default()
    }
}

/// Places are few.
fn place(index: usize) -> f64 {
    f64::from(u32::try_from(index).unwrap_or(u32::MAX))
}

#[cfg(test)]
mod tests {
    use super::*;

    fn chart(values: [Option<f64>; 2]) -> Chart {
        Chart {
            title: "throughput".to_owned(),
            unit: "MB/s".to_owned(),
            places: vec!["16 KiB".to_owned(), "64 KiB".to_owned()],
            lines: vec![("corelog".to_owned(), values.to_vec())],
            logarithmic: false,
        }
    }

    #[test]
    fn a_chart_names_its_lines_and_its_places() {
        for logarithmic in [false, true] {
            let chart = Chart { logarithmic, ..chart([Some(250.0), Some(500.0)]) };
            let svg = chart.svg().unwrap();
            for word in ["<svg", "corelog", "16 KiB", "64 KiB", "MB/s", "throughput"] {
                assert!(svg.contains(word), "{word} is not in {svg}");
            }
        }
    }

    #[test]
    fn nothing_is_not_drawn() {
        assert_eq!(chart([None, None]).svg(), None);
        assert_eq!(chart([Some(0.0), None]).svg(), None);
    }
}
