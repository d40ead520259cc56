//! `ever_new_places(place, days, kinds)`: how alike the work is that was done from ever new places (addresses, or their
//! networks), 0 to 1; null where it was not done from ever new places.
//!
//! Hosted CI comes from another address on each run and does the same each time; so does a function or a task that
//! carries a key. A person's laptop has many places as well, but comes back to some of them (home, office), and does
//! something else each day. So both count: places that are hardly ever seen again, and the same work in each. Which
//! program it is, and how alike is enough, is for the query to say.

use std::collections::{BTreeMap, BTreeSet, HashMap};
use std::sync::Arc;

use arrow::array::{
    Array, ArrayRef, AsArray, Int32Builder, ListArray, ListBuilder, StringArray, StringBuilder,
};
use arrow::compute::cast;
use arrow::datatypes::{DataType, Field, FieldRef, Int32Type};
use datafusion::error::Result;
use datafusion::logical_expr::function::{AccumulatorArgs, StateFieldsArgs};
use datafusion::logical_expr::{Accumulator, AggregateUDFImpl, Signature, Volatility};
use datafusion::scalar::ScalarValue;

use super::lists::texts;

/// Fewer places are no habit.
const FEWEST_PLACES: usize = 5;
/// A place that is seen on more days is one to which somebody comes back.
const FEW_DAYS: usize = 2;

/// The function; see the module.
#[derive(Debug, PartialEq, Eq, Hash)]
pub(super) struct EverNewPlaces {
    signature: Signature,
}

impl EverNewPlaces {
    pub(super) fn new() -> Self {
        Self { signature: Signature::any(3, Volatility::Immutable) }
    }
}

fn numbers() -> DataType {
    DataType::List(Arc::new(Field::new_list_field(DataType::Int32, true)))
}

impl AggregateUDFImpl for EverNewPlaces {
    fn name(&self) -> &str {
        "ever_new_places"
    }

    fn signature(&self) -> &Signature {
        &self.signature
    }

    fn return_type(&self, _: &[DataType]) -> Result<DataType> {
        Ok(DataType::Float64)
    }

    fn accumulator(&self, _: AccumulatorArgs) -> Result<Box<dyn Accumulator>> {
        Ok(Box::<Places>::default())
    }

    fn state_fields(&self, _: StateFieldsArgs) -> Result<Vec<FieldRef>> {
        let types = [("places", texts()), ("days", numbers()), ("kinds", texts())];
        Ok(types.map(|(name, list)| Arc::new(Field::new(name, list, true))).to_vec())
    }
}

/// What was seen at one place.
#[derive(Debug, Default)]
struct Seen {
    days: BTreeSet<i32>,
    kinds: BTreeSet<String>,
}

#[derive(Debug, Default)]
struct Places(BTreeMap<String, Seen>);

impl Places {
    fn at(&mut self, place: &str) -> &mut Seen {
        self.0.entry(place.to_owned()).or_default()
    }

    /// Places that are hardly ever seen again: on average, and nearly all of them, and none that is somebody's base.
    fn are_ever_new(&self) -> bool {
        let days: usize = self.0.values().map(|seen| seen.days.len()).sum();
        let fleeting = self.0.values().filter(|seen| seen.days.len() <= FEW_DAYS).count();
        let active: BTreeSet<i32> = self.0.values().flat_map(|seen| &seen.days).copied().collect();
        let most = self.0.values().map(|seen| seen.days.len()).max().unwrap_or_default();
        self.0.len() >= FEWEST_PLACES
            && days <= self.0.len() * FEW_DAYS
            && fleeting * 5 >= self.0.len() * 4
            && (most <= FEW_DAYS || most * 3 <= active.len())
    }

    /// At how many of the places what is done at one of them is done, on average: 1 where all do the same.
    fn likeness(&self) -> f64 {
        let mut places_of: HashMap<&str, u32> = HashMap::new();
        for kind in self.0.values().flat_map(|seen| &seen.kinds) {
            *places_of.entry(kind).or_default() += 1;
        }
        let done: f64 = places_of.values().copied().map(f64::from).sum();
        let shared: f64 = places_of.values().map(|places| f64::from(*places).powi(2)).sum();
        let places = f64::from(u32::try_from(self.0.len()).unwrap_or(u32::MAX));
        if done > 0.0 { shared / (done * places) } else { 0.0 }
    }
}

fn list_of(lists: &ListArray, row: usize) -> Option<ArrayRef> {
    (!lists.is_null(row)).then(|| lists.value(row))
}

impl Accumulator for Places {
    fn update_batch(&mut self, values: &[ArrayRef]) -> Result<()> {
        let places = cast(&values[0], &DataType::Utf8)?;
        let places: &StringArray = places.as_string();
        let (days, kinds) = (cast(&values[1], &numbers())?, cast(&values[2], &texts())?);
        let (days, kinds) = (days.as_list::<i32>(), kinds.as_list::<i32>());
        for (row, place) in places.iter().enumerate() {
            let Some(place) = place else { continue };
            let seen = self.at(place);
            if let Some(days) = list_of(days, row) {
                seen.days.extend(days.as_primitive::<Int32Type>().iter().flatten());
            }
            if let Some(kinds) = list_of(kinds, row) {
                seen.kinds.extend(kinds.as_string::<i32>().iter().flatten().map(str::to_owned));
            }
        }
        Ok(())
    }

    fn evaluate(&mut self) -> Result<ScalarValue> {
        Ok(ScalarValue::Float64(self.are_ever_new().then(|| self.likeness())))
    }

    fn size(&self) -> usize {
        let kinds = self.0.values().flat_map(|seen| &seen.kinds).map(|kind| kind.len() + 32);
        let days = self.0.values().map(|seen| seen.days.len() * 8);
        let places = self.0.keys().map(|place| place.len() + size_of::<Seen>());
        size_of::<Self>() + kinds.chain(days).chain(places).sum::<usize>()
    }

    /// One row of three lists, each element of which is a place with one of its days or of its kinds.
    fn state(&mut self) -> Result<Vec<ScalarValue>> {
        let mut places = ListBuilder::new(StringBuilder::new());
        let mut days = ListBuilder::new(Int32Builder::new());
        let mut kinds = ListBuilder::new(StringBuilder::new());
        for (place, seen) in &self.0 {
            let of_days = seen.days.iter().map(|day| (Some(*day), None));
            let of_kinds = seen.kinds.iter().map(|kind| (None, Some(kind)));
            for (day, kind) in of_days.chain(of_kinds) {
                places.values().append_value(place);
                days.values().append_option(day);
                kinds.values().append_option(kind);
            }
        }
        places.append(true);
        days.append(true);
        kinds.append(true);
        Ok(vec![
            ScalarValue::List(Arc::new(places.finish())),
            ScalarValue::List(Arc::new(days.finish())),
            ScalarValue::List(Arc::new(kinds.finish())),
        ])
    }

    fn merge_batch(&mut self, states: &[ArrayRef]) -> Result<()> {
        let (places, days, kinds) =
            (states[0].as_list::<i32>(), states[1].as_list::<i32>(), states[2].as_list::<i32>());
        for row in 0..places.len() {
            let lists = (list_of(places, row), list_of(days, row), list_of(kinds, row));
            let (Some(places), Some(days), Some(kinds)) = lists else { continue };
            let days = days.as_primitive::<Int32Type>().iter();
            let kinds = kinds.as_string::<i32>().iter();
            for ((place, day), kind) in places.as_string::<i32>().iter().zip(days).zip(kinds) {
                let Some(place) = place else { continue };
                let seen = self.at(place);
                seen.days.extend(day);
                seen.kinds.extend(kind.map(str::to_owned));
            }
        }
        Ok(())
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    /// Places with the days on which they are seen and what is done there.
    fn places(seen: &[(&str, &[i32], &[&str])]) -> Places {
        let mut places = Places::default();
        for (place, days, kinds) in seen {
            let at = places.at(place);
            at.days.extend(*days);
            at.kinds.extend(kinds.iter().map(|kind| (*kind).to_owned()));
        }
        places
    }

    fn answer(mut places: Places) -> Option<f64> {
        match places.evaluate().unwrap() {
            ScalarValue::Float64(answer) => answer,
            other => panic!("{other:?}"),
        }
    }

    #[test]
    fn runners_that_do_the_same_from_ever_new_places_are_alike() {
        let names: Vec<String> = (0..40).map(|number| format!("198.18.{number}.0/24")).collect();
        let all: Vec<(&str, [i32; 1])> =
            names.iter().map(String::as_str).zip((0..).map(|d| [d])).collect();
        let runs: Vec<(&str, &[i32], &[&str])> =
            all.iter().map(|(name, day)| (*name, &day[..], &["a", "b", "c"][..])).collect();
        assert_eq!(answer(places(&runs)), Some(1.0));
        assert_eq!(answer(places(&runs[..4])), None, "too few to tell");
    }

    #[test]
    fn somebody_who_comes_back_is_nowhere_new() {
        let days: Vec<i32> = (0..30).collect();
        let mut seen: Vec<(&str, &[i32], &[&str])> =
            vec![("home", &days, &["a"]), ("office", &days, &["a"])];
        let cafes = ["c1", "c2", "c3", "c4", "c5", "c6", "c7", "c8"];
        seen.extend(cafes.iter().map(|cafe| (*cafe, &days[..1], &["a"][..])));
        assert_eq!(answer(places(&seen)), None);
        assert_eq!(answer(places(&seen[2..])), Some(1.0), "the same without a home");
        // Nor somebody who travels much.
        let hotels: Vec<String> = (0..60).map(|number| format!("hotel {number}")).collect();
        let each: Vec<[i32; 1]> = (30..90).map(|day| [day]).collect();
        let trips = hotels.iter().zip(&each);
        let trips: Vec<(&str, &[i32], &[&str])> =
            trips.map(|(hotel, day)| (hotel.as_str(), &day[..], &["a"][..])).collect();
        assert_eq!(
            answer(places(
                &[&trips[..], &[("home", &(0..31).collect::<Vec<_>>(), &["a"])]].concat()
            )),
            None
        );
        // A machine that is there now and then is no base.
        assert_eq!(
            answer(places(&[&trips[..], &[("own", &(0..9).collect::<Vec<_>>(), &["a"])]].concat())),
            Some(1.0)
        );
    }

    #[test]
    fn a_person_does_something_else_each_day() {
        let kinds: Vec<String> = (0..40).map(|number| format!("k{number}")).collect();
        let kinds: Vec<&str> = kinds.iter().map(String::as_str).collect();
        let names: Vec<String> = (0..10).map(|number| format!("p{number}")).collect();
        let seen: Vec<(&str, &[i32], &[&str])> = names
            .iter()
            .enumerate()
            .map(|(at, name)| (name.as_str(), &[1][..], &kinds[at * 3..at * 3 + 6]))
            .collect();
        let likeness = answer(places(&seen)).unwrap();
        assert!(likeness < 0.25, "{likeness}");
    }

    #[test]
    fn parts_that_are_put_together_are_the_whole() {
        let seen: [(&str, &[i32], &[&str]); 6] = [
            ("p1", &[1], &["a", "b"]),
            ("p2", &[2], &["a"]),
            ("p3", &[3], &["a", "b"]),
            ("p4", &[4, 5], &[]),
            ("p5", &[6], &["b"]),
            ("p6", &[], &["b", "c"]),
        ];
        let whole = answer(places(&seen));
        assert!(whole.is_some());
        let mut merged = Places::default();
        for half in [&seen[..4], &seen[2..]] {
            let state = places(half).state().unwrap();
            let arrays: Vec<_> = state.iter().map(|list| list.to_array().unwrap()).collect();
            merged.merge_batch(&arrays).unwrap();
        }
        assert_eq!(answer(merged), whole);
    }
}
