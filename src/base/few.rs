//! A list that mostly holds one value, or none: those need no block of their own.
//!
//! Law: the values are a slice in the order of [`Few::push`], whatever their number. Limit: removing
//! is O(n); what is to be long and changed often is no `Few`.

/// The list; as large as two words for values of up to twelve bytes.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub enum Few<T> {
    /// Nothing.
    #[default]
    None,
    /// The usual case.
    One(T),
    /// The rest; behind a pointer, so that the usual case is small.
    Many(Box<Vec<T>>),
}

impl<T> Few<T> {
    /// The values.
    #[must_use]
    pub fn as_slice(&self) -> &[T] {
        match self {
            Self::None => &[],
            Self::One(value) => std::slice::from_ref(value),
            Self::Many(values) => values,
        }
    }

    /// Appends a value.
    pub fn push(&mut self, value: T) {
        *self = match std::mem::take(self) {
            Self::None => Self::One(value),
            Self::One(first) => Self::Many(Box::new(vec![first, value])),
            Self::Many(mut values) => {
                values.push(value);
                Self::Many(values)
            }
        };
    }

    /// Removes every value that is equal to `value`.
    pub fn remove(&mut self, value: &T)
    where
        T: PartialEq,
    {
        match self {
            Self::None => {}
            Self::One(only) => {
                if only == value {
                    *self = Self::None;
                }
            }
            Self::Many(values) => {
                values.retain(|known| known != value);
                if values.len() < 2 {
                    *self = values.pop().map_or(Self::None, Self::One);
                }
            }
        }
    }
}

impl<T> std::ops::Deref for Few<T> {
    type Target = [T];

    fn deref(&self) -> &[T] {
        self.as_slice()
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn it_is_a_list_in_order_however_long() {
        let (mut few, mut model) = (Few::default(), Vec::new());
        for value in [1, 2, 3, 2] {
            few.push(value);
            model.push(value);
            assert_eq!(few.as_slice(), model);
        }
        for value in [2, 7, 1, 3] {
            few.remove(&value);
            model.retain(|known| *known != value);
            assert_eq!(few.as_slice(), model);
        }
        assert_eq!(few, Few::None);
        assert!(size_of::<Few<[u32; 3]>>() <= 16);
    }
}
