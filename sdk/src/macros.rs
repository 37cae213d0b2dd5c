//! The one macro: a plugin's names and functions become its type, its manifest and the component's exports.

/// Makes a plugin of functions.
///
/// Each function takes its input, any type that serde reads and schemars describes, and the [`Call`](crate::Call); it
/// gives its output or a failure. The version is the package's own.
///
/// ```
/// use cartwright_plugin::{Call, Failure, plugin};
/// use schemars::JsonSchema;
/// use serde::{Deserialize, Serialize};
///
/// #[derive(Deserialize, JsonSchema)]
/// struct Parcel {
///     /// What it weighs, in grams.
///     grams: u32,
/// }
///
/// #[derive(Serialize, JsonSchema)]
/// struct Postage {
///     cents: u32,
/// }
///
/// fn quote(parcel: Parcel, _: &Call) -> Result<Postage, Failure> {
///     match parcel.grams {
///         0 => Err(Failure::invalid("a parcel weighs something")),
///         1..=500 => Ok(Postage { cents: 185 }),
///         _ => Ok(Postage { cents: 549 }),
///     }
/// }
///
/// plugin! {
///     Postman {
///         name: "postman",
///         description: "What parcels cost.",
///         functions: {
///             "quote": "Says what a parcel costs." => quote,
///         },
///         needs: {},
///     }
/// }
/// # use cartwright_plugin::testing::Harness;
/// # let run = Harness::new(Postman).run("quote", serde_json::json!({ "grams": 501 }));
/// # assert_eq!(run.output(), &serde_json::json!({ "cents": 549 }));
/// ```
///
/// `needs` lists the grants that the plugin cannot do without, as a workflow writes them; leave it out when there are
/// none: `needs: { http: ["api.example.com"], secrets: ["example-key"], woo: ["orders.read"], emit: ["stock.low"] }`.
///
/// Whoever implements [`Plugin`](crate::Plugin) by hand exports it with `plugin!(MyType);`. A component has one plugin,
/// so the macro stands once in a package.
#[macro_export]
macro_rules! plugin {
    (
        $type:ident {
            name: $name:literal,
            description: $description:expr,
            functions: { $($function:literal: $about:literal => $handler:expr),+ $(,)? }
            $(, needs: { $($list:ident: [$($grant:expr),* $(,)?]),* $(,)? })?
            $(,)?
        }
    ) => {
        #[doc = $description]
        #[derive(Debug, Clone, Copy)]
        pub struct $type;

        impl $crate::Plugin for $type {
            const NAME: &'static str = $name;
            const VERSION: &'static str = env!("CARGO_PKG_VERSION");
            const DESCRIPTION: &'static str = $description;

            fn needs() -> $crate::Needs {
                $crate::Needs {
                    $($($list: vec![$(::std::string::String::from($grant)),*],)*)?
                    ..::std::default::Default::default()
                }
            }

            fn functions() -> ::std::vec::Vec<$crate::Function> {
                vec![$($crate::Function::new($function, $about, $handler)),+]
            }
        }

        const _: () = {
            $(assert!($crate::is_name($function), "names use up to 64 of a-z, 0-9 and `-` and begin with a letter");)+
        };

        $crate::plugin!($type);
    };

    ($type:ident) => {
        const _: () = assert!(
            $crate::is_name(<$type as $crate::Plugin>::NAME),
            "names use up to 64 of a-z, 0-9 and `-` and begin with a letter"
        );

        #[cfg(target_arch = "wasm32")]
        $crate::bindings::export!($type with_types_in $crate::bindings);
    };
}
