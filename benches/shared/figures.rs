//! Figures of cases that took turns: for each column the ratio to the first case, with its range
//! over the rounds, and the figure itself.

/// One case: for each column a figure of each round.
pub(crate) struct Row {
    name: String,
    columns: Vec<Vec<f64>>,
}

impl Row {
    /// A case without figures yet.
    pub(crate) fn new(name: &str, columns: usize) -> Self {
        Self { name: name.to_owned(), columns: vec![Vec::new(); columns] }
    }

    /// The figures of one round.
    pub(crate) fn add(&mut self, figures: &[f64]) {
        for (column, figure) in self.columns.iter_mut().zip(figures) {
            column.push(*figure);
        }
    }
}

/// Prints the cases. Ratios are taken within a round, since the machine moves between them.
pub(crate) fn print(title: &str, columns: &[&str], rows: &[Row]) {
    println!("\n{title}");
    print!("  {:38}", "");
    for column in columns {
        print!("{column:>31}");
    }
    println!();
    for row in rows {
        print!("  {:38}", row.name);
        for (column, base) in row.columns.iter().zip(&rows[0].columns) {
            let ratios: Vec<f64> = column.iter().zip(base).map(|(one, base)| one / base).collect();
            let range = format!("{}-{}", short(low(&ratios)), short(high(&ratios)));
            print!("{:>8} {range:>12}{:>10}", short(median(&ratios)), short(median(column)));
        }
        println!();
    }
}

/// Three digits, as they are read best.
pub(crate) fn short(figure: f64) -> String {
    match figure {
        _ if figure >= 100.0 => format!("{figure:.0}"),
        _ if figure >= 10.0 => format!("{figure:.1}"),
        _ => format!("{figure:.2}"),
    }
}

/// The middle one.
pub(crate) fn median(figures: &[f64]) -> f64 {
    let mut sorted = figures.to_vec();
    sorted.sort_by(f64::total_cmp);
    sorted[sorted.len() / 2]
}

/// The least one.
pub(crate) fn low(figures: &[f64]) -> f64 {
    figures.iter().copied().fold(f64::INFINITY, f64::min)
}

/// The greatest one.
pub(crate) fn high(figures: &[f64]) -> f64 {
    figures.iter().copied().fold(0.0, f64::max)
}
