//! Everything that is known by name; what is not here is refused when a template is read.

macro_rules! known {
    ($(#[$doc:meta])* $kind:ident { $($variant:ident = $first:literal $(| $alias:literal)*,)* }) => {
        $(#[$doc])*
        #[derive(Clone, Copy, Debug, PartialEq, Eq)]
        pub(super) enum $kind { $($variant,)* }

        impl $kind {
            pub(super) fn named(name: &str) -> Option<Self> {
                match name {
                    $($first $(| $alias)* => Some(Self::$variant),)*
                    _ => None,
                }
            }

            pub(super) fn name(self) -> &'static str {
                match self { $(Self::$variant => $first,)* }
            }
        }
    };
}

known!(
    /// Filters, as jinja2 names them.
    Filter {
        Abs = "abs",
        Attr = "attr",
        Capitalize = "capitalize",
        Default = "default" | "d",
        Dictsort = "dictsort",
        Escape = "escape" | "e",
        First = "first",
        Float = "float",
        Format = "format",
        Indent = "indent",
        Int = "int",
        Items = "items",
        Join = "join",
        Last = "last",
        Length = "length" | "count",
        List = "list",
        Lower = "lower",
        Map = "map",
        Max = "max",
        Min = "min",
        Reject = "reject",
        Rejectattr = "rejectattr",
        Replace = "replace",
        Reverse = "reverse",
        Round = "round",
        Safe = "safe",
        Select = "select",
        Selectattr = "selectattr",
        Sort = "sort",
        String = "string",
        Sum = "sum",
        Title = "title",
        Tojson = "tojson",
        Trim = "trim",
        Unique = "unique",
        Upper = "upper",
    }
);

known!(
    /// Tests, as jinja2 names them.
    Test {
        Boolean = "boolean",
        Callable = "callable",
        Defined = "defined",
        Divisibleby = "divisibleby",
        Equal = "eq" | "equalto" | "==",
        Even = "even",
        False = "false",
        Float = "float",
        Greater = "gt" | "greaterthan" | ">",
        GreaterEqual = "ge" | ">=",
        In = "in",
        Integer = "integer",
        Iterable = "iterable",
        Less = "lt" | "lessthan" | "<",
        LessEqual = "le" | "<=",
        Lower = "lower",
        Mapping = "mapping",
        None = "none",
        Number = "number",
        Odd = "odd",
        Sameas = "sameas",
        Sequence = "sequence",
        String = "string",
        True = "true",
        Undefined = "undefined",
        Unequal = "ne" | "!=",
        Upper = "upper",
    }
);

known!(
    /// Functions: jinja2's, and those that chat templates are given.
    Function {
        Dict = "dict",
        Namespace = "namespace",
        RaiseException = "raise_exception",
        Range = "range",
        StrftimeNow = "strftime_now",
    }
);

known!(
    /// Methods of Python's texts, lists and maps.
    Method {
        Append = "append",
        Capitalize = "capitalize",
        Clear = "clear",
        Copy = "copy",
        Count = "count",
        Endswith = "endswith",
        Extend = "extend",
        Find = "find",
        Format = "format",
        Get = "get",
        Index = "index",
        Insert = "insert",
        Isalnum = "isalnum",
        Isalpha = "isalpha",
        Isdigit = "isdigit",
        Islower = "islower",
        Isspace = "isspace",
        Isupper = "isupper",
        Items = "items",
        Join = "join",
        Keys = "keys",
        Ljust = "ljust",
        Lower = "lower",
        Lstrip = "lstrip",
        Partition = "partition",
        Pop = "pop",
        Popitem = "popitem",
        Remove = "remove",
        Removeprefix = "removeprefix",
        Removesuffix = "removesuffix",
        Replace = "replace",
        Reverse = "reverse",
        Rfind = "rfind",
        Rjust = "rjust",
        Rpartition = "rpartition",
        Rsplit = "rsplit",
        Rstrip = "rstrip",
        Setdefault = "setdefault",
        Sort = "sort",
        Split = "split",
        Splitlines = "splitlines",
        Startswith = "startswith",
        Strip = "strip",
        Title = "title",
        Update = "update",
        Upper = "upper",
        Values = "values",
        Zfill = "zfill",
    }
);

impl Method {
    /// Whether Python's `str` has it.
    pub(super) fn is_of_text(self) -> bool {
        !self.is_of_map() && !self.is_change() || matches!(self, Self::Format)
    }

    /// Whether Python's `dict` has it.
    pub(super) fn is_of_map(self) -> bool {
        use Method::{Clear, Copy, Get, Items, Keys, Pop, Popitem, Setdefault, Update, Values};
        matches!(self, Clear | Copy | Get | Items | Keys | Pop | Popitem | Setdefault | Update | Values)
    }

    /// Whether Python's `list` has it.
    pub(super) fn is_of_list(self) -> bool {
        use Method::{Append, Clear, Copy, Count, Extend, Index, Insert, Pop, Remove, Reverse, Sort};
        matches!(
            self,
            Append | Clear | Copy | Count | Extend | Index | Insert | Pop | Remove | Reverse | Sort
        )
    }

    /// Whether it changes its value.
    pub(super) fn is_change(self) -> bool {
        use Method::{
            Append, Clear, Extend, Insert, Pop, Popitem, Remove, Reverse, Setdefault, Sort, Update,
        };
        matches!(
            self,
            Append | Clear | Extend | Insert | Pop | Popitem | Remove | Reverse | Setdefault | Sort | Update
        )
    }
}
